// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xdp-pass INTERFACE COMMAND...: runs a command while an XDP program passes
 * every packet that the interface receives, and prints how many there were.
 * With an XDP program drivers receive into other buffers: whole pages, which
 * many of them keep mapped and reuse.
 *
 * The exit status is the command's.
 */
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Returns what bpf(2) returns, a file descriptor or 0; exits on failure */
static int bpf(int command, union bpf_attr *attr, const char *what)
{
    long ret = syscall(SYS_bpf, command, attr, sizeof(*attr));

    if (ret < 0) {
        perror(what);
        exit(1);
    }
    return ret;
}

static int load(void)
{
    struct bpf_insn program[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS },
        { .code = BPF_JMP | BPF_EXIT },
    };
    union bpf_attr attr = {
        .prog_type = BPF_PROG_TYPE_XDP,
        .insns = (uintptr_t)program,
        .insn_cnt = sizeof(program) / sizeof(program[0]),
        .license = (uintptr_t)"GPL",
    };

    return bpf(BPF_PROG_LOAD, &attr, "xdp-pass: load");
}

/* The program stays attached for as long as we keep the link open */
static void attach(int program, const char *interface)
{
    union bpf_attr attr = {
        .link_create.prog_fd = program,
        .link_create.target_ifindex = if_nametoindex(interface),
        .link_create.attach_type = BPF_XDP,
        .link_create.flags = XDP_FLAGS_DRV_MODE
    };

    bpf(BPF_LINK_CREATE, &attr, "xdp-pass: attach");
}

/* The kernel counts runs of programs for as long as we keep this open */
static void count(void)
{
    union bpf_attr attr = { .enable_stats.type = BPF_STATS_RUN_TIME };

    bpf(BPF_ENABLE_STATS, &attr, "xdp-pass: count");
}

static unsigned long long packets(int program)
{
    struct bpf_prog_info info = { 0 };
    union bpf_attr attr = {
        .info.bpf_fd = program,
        .info.info_len = sizeof(info),
        .info.info = (uintptr_t)&info,
    };

    bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, "xdp-pass: packets");
    return info.run_cnt;
}

static int run(char **command)
{
    int status;
    pid_t child = fork();

    if (!child) {
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        perror("xdp-pass: run");
        exit(1);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    int program, status;

    if (argc < 3) {
        fprintf(stderr, "usage: xdp-pass INTERFACE COMMAND...\n");
        return 2;
    }
    count();
    program = load();
    attach(program, argv[1]);
    status = run(argv + 2);
    printf("packets=%llu\n", packets(program));
    return status;
}
