/* accept_key.c: see accept_key.h. */
#include "accept_key.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define BLOCK 64u
#define DIGEST 20u

static uint32_t rotated(uint32_t word, unsigned bits) { return word << bits | word >> (32 - bits); }

static void put_big_endian(unsigned char *octets, uint32_t word) {
    for (size_t i = 0; i < 4; i++)
        octets[i] = (unsigned char)(word >> (24 - 8 * i));
}

static void digest_block(uint32_t hash[5], const unsigned char *block) {
    uint32_t words[80];
    for (size_t i = 0; i < 16; i++)
        words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (size_t i = 16; i < 80; i++)
        words[i] = rotated(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
    for (size_t i = 0; i < 80; i++) {
        uint32_t mixed, constant;
        if (i < 20) {
            mixed = (b & c) | (~b & d);
            constant = 0x5a827999;
        } else if (i < 40) {
            mixed = b ^ c ^ d;
            constant = 0x6ed9eba1;
        } else if (i < 60) {
            mixed = (b & c) | (b & d) | (c & d);
            constant = 0x8f1bbcdc;
        } else {
            mixed = b ^ c ^ d;
            constant = 0xca62c1d6;
        }
        uint32_t next = rotated(a, 5) + mixed + e + constant + words[i];
        e = d;
        d = c;
        c = rotated(b, 30);
        b = a;
        a = next;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

void accept_key(const char *key, char accept[ACCEPT_KEY_SIZE + 1]) {
    /* Key and GUID are 60 octets: with the mark behind them and the length they take two blocks. */
    enum { SIZE = CLIENT_KEY_SIZE + sizeof GUID - 1 };
    unsigned char blocks[2 * BLOCK] = {0};
    memcpy(blocks, key, CLIENT_KEY_SIZE);
    memcpy(blocks + CLIENT_KEY_SIZE, GUID, sizeof GUID - 1);
    blocks[SIZE] = 0x80;
    put_big_endian(blocks + sizeof blocks - 4, SIZE * 8);
    uint32_t hash[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    digest_block(hash, blocks);
    digest_block(hash, blocks + BLOCK);
    unsigned char digest[DIGEST + 1] = {0}; /* one more octet, so that groups of three come out even */
    for (size_t i = 0; i < 5; i++)
        put_big_endian(digest + 4 * i, hash[i]);
    for (size_t i = 0, o = 0; i < DIGEST; i += 3) {
        uint32_t group = (uint32_t)digest[i] << 16 | (uint32_t)digest[i + 1] << 8 | digest[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            accept[o++] = LETTERS[group >> shift & 63];
    }
    accept[ACCEPT_KEY_SIZE - 1] = '='; /* of the last group two octets are there */
    accept[ACCEPT_KEY_SIZE] = '\0';
}

const char *base64_fault(const char *key, size_t size, size_t *count) {
    size_t letters = 0, pads = 0;
    bool padding = false;
    *count = 0;
    if (size > 0 && key[0] == '=')
        return "Leading padding not allowed";
    for (size_t i = 0; i < size; i++) {
        size_t place = letters % 4;
        if (key[i] == '=') {
            padding = true;
            if (place >= 2 && place + ++pads >= 4) {
                *count = letters / 4 * 3 + place - 1;
                return i + 1 < size ? "Excess data after padding" : NULL;
            }
            continue;
        }
        if (key[i] == '\0' || !strchr(LETTERS, key[i]))
            return "Only base64 data is allowed";
        if (padding)
            return "Discontinuous padding not allowed";
        letters++;
    }
    if (letters % 4 == 1) {
        *count = letters;
        return "Invalid base64-encoded string: number of data characters (%zu) cannot be 1 more than a multiple of 4";
    }
    if (letters % 4 != 0)
        return "Incorrect padding";
    *count = letters / 4 * 3;
    return NULL;
}
