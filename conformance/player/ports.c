#include "ports.h"

#include <stdio.h>

#include "memory.h"

#define LOWEST 10000u /* below live the servers that people run */
#define HIGHEST 65000u
#define ENOUGH 4000u

int ports_init(struct ports *ports, unsigned low, unsigned high, uint32_t next, const struct exchange_allocator *allocator) {
    unsigned first = LOWEST, last = low > LOWEST ? low - 1 : 0;
    if (last < first + ENOUGH && high + ENOUGH < HIGHEST) {
        first = high + 1;
        last = HIGHEST;
    } else if (last < first + ENOUGH) {
        last = 32000; /* the kernel claims all there is; a port in use is skipped when it is bound */
    }
    ports->first = (uint16_t)first;
    ports->last = (uint16_t)last;
    ports->next = (uint16_t)(first + next % (last - first + 1));
    ports->allocator = memory_allocator(allocator);
    ports->free_from = memory_zeroed(&ports->allocator, last - first + 1, sizeof *ports->free_from);
    return ports->free_from ? 0 : -1;
}

void ports_free(struct ports *ports) {
    memory_free(&ports->allocator, ports->free_from);
    ports->free_from = NULL;
}

void ports_kernel_range(unsigned *low, unsigned *high) {
    *low = 32768;
    *high = 60999;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (!file)
        return;
    unsigned first, last;
    if (fscanf(file, "%u %u", &first, &last) == 2 && first <= last && last <= 65535) {
        *low = first;
        *high = last;
    }
    fclose(file);
}

uint16_t ports_take(struct ports *ports, uint64_t now) {
    unsigned count = (unsigned)(ports->last - ports->first + 1);
    for (unsigned tried = 0; tried < count; tried++) {
        uint16_t port = ports->next;
        ports->next = port == ports->last ? ports->first : (uint16_t)(port + 1);
        uint64_t *free_from = &ports->free_from[port - ports->first];
        if (*free_from <= now) {
            *free_from = UINT64_MAX;
            return port;
        }
    }
    return 0;
}

void ports_give_back(struct ports *ports, uint16_t port, uint64_t free_from) { ports->free_from[port - ports->first] = free_from; }
