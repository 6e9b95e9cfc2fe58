// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pattern SEED BYTES: writes a stream that depends on SEED only.
 *
 * The guest writes the stream to its disk, and the host compares what arrived,
 * so neither has to keep a copy.  Both run the same binary.  The words come from
 * splitmix64, which is cheap under emulation, and no two pages are equal.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t mix(uint64_t word)
{
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    return word ^ (word >> 31);
}

int main(int argc, char **argv)
{
    static uint64_t block[8192];
    uint64_t state, left;

    if (argc != 3) {
        fprintf(stderr, "usage: pattern SEED BYTES\n");
        return 2;
    }
    state = strtoull(argv[1], NULL, 0);
    left = strtoull(argv[2], NULL, 0);

    while (left) {
        size_t want = left < sizeof(block) ? left : sizeof(block);

        for (size_t i = 0; i < sizeof(block) / sizeof(block[0]); i++)
            block[i] = mix(state += 0x9e3779b97f4a7c15);
        if (fwrite(block, 1, want, stdout) != want) {
            perror("pattern");
            return 1;
        }
        left -= want;
    }
    if (fflush(stdout)) {
        perror("pattern");
        return 1;
    }
    return 0;
}
