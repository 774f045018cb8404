#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "peer.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int peer_open(void) { return socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG); }

/* The address and port of one end, in the form that sock_diag asks for. */
static int end_of(int fd, int (*name)(int, struct sockaddr *, socklen_t *), __be32 address[4], __be16 *port) {
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (name(fd, (struct sockaddr *)&storage, &size))
        return -1;
    if (storage.ss_family == AF_INET) {
        const struct sockaddr_in *end = (const struct sockaddr_in *)&storage;
        memcpy(address, &end->sin_addr, sizeof end->sin_addr);
        *port = end->sin_port;
    } else {
        const struct sockaddr_in6 *end = (const struct sockaddr_in6 *)&storage;
        memcpy(address, &end->sin6_addr, sizeof end->sin6_addr);
        *port = end->sin6_port;
    }
    return storage.ss_family;
}

enum peer_answer peer_has_taken(int diagnosis, int fd, uint64_t sent) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = {
        .header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .request = {.sdiag_protocol = IPPROTO_TCP,
                    .idiag_ext = 1 << (INET_DIAG_INFO - 1),
                    .idiag_states = ~0u,
                    .id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
    };
    /* The socket that is asked about is the other end's: its source is our destination. */
    int family = end_of(fd, getpeername, question.request.id.idiag_src, &question.request.id.idiag_sport);
    if (family < 0 || end_of(fd, getsockname, question.request.id.idiag_dst, &question.request.id.idiag_dport) < 0)
        return PEER_UNKNOWN;
    question.request.sdiag_family = (__u8)family;
    if (send(diagnosis, &question, sizeof question, 0) < 0)
        return PEER_UNKNOWN;

    union {
        struct nlmsghdr header;
        char space[4096];
    } answer;
    ssize_t size = recv(diagnosis, &answer, sizeof answer, 0);
    if (size < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)) || answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return PEER_UNKNOWN;
    const struct inet_diag_msg *message = NLMSG_DATA(&answer.header);
    int left = (int)answer.header.nlmsg_len - (int)NLMSG_LENGTH(sizeof *message);
    for (const struct rtattr *extra = (const void *)(message + 1); RTA_OK(extra, left); extra = RTA_NEXT(extra, left)) {
        if (extra->rta_type != INET_DIAG_INFO)
            continue;
        struct tcp_info info = {0};
        size_t known = RTA_PAYLOAD(extra) < sizeof info ? RTA_PAYLOAD(extra) : sizeof info;
        memcpy(&info, RTA_DATA(extra), known);
        return info.tcpi_bytes_received >= sent && message->idiag_rqueue == 0 ? PEER_TAKEN : PEER_WAITING;
    }
    return PEER_UNKNOWN;
}
