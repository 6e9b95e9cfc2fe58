// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kexec KERNEL INITRAMFS COMMAND-LINE: loads a kernel.
 * kexec --start: replaces the running kernel with it.
 * kexec --crash KERNEL INITRAMFS COMMAND-LINE: loads one for when this one panics.
 */
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int start(void)
{
    sync();
    syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
            LINUX_REBOOT_CMD_KEXEC, NULL);
    perror("kexec: start");
    return 1;
}

static int load(const char *kernel, const char *initramfs, const char *line,
                unsigned long flags)
{
    int kernel_fd = open(kernel, O_RDONLY);
    int initramfs_fd = open(initramfs, O_RDONLY);

    if (kernel_fd < 0 || initramfs_fd < 0 ||
        syscall(SYS_kexec_file_load, kernel_fd, initramfs_fd,
                strlen(line) + 1, line, flags)) {
        perror("kexec: load");
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--start")) {
        return start();
    }
    if (argc == 4) {
        return load(argv[1], argv[2], argv[3], 0);
    }
    if (argc == 5 && !strcmp(argv[1], "--crash")) {
        return load(argv[2], argv[3], argv[4], KEXEC_FILE_ON_CRASH);
    }
    fprintf(stderr, "usage: kexec [--crash] KERNEL INITRAMFS COMMAND-LINE\n"
            "       kexec --start\n");
    return 2;
}
