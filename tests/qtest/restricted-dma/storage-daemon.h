/*
 * Restricted DMA pools: qemu-storage-daemon as the back end of a disk
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_STORAGE_DAEMON_H
#define TESTS_RESTRICTED_DMA_STORAGE_DAEMON_H

#include "guest.h"

typedef struct RdpStorageDaemon {
    char *dir;
    char *path;                 /* of the socket */
    int listener;
    char *disk;                 /* path of its file */
    pid_t pid;
} RdpStorageDaemon;

/* Was a daemon built, too? */
bool rdp_has_storage_daemon(void);

/* Start the daemon, with a disk of RDP_DISK_SIZE in a new file, @file */
void rdp_storage_daemon_init(RdpStorageDaemon *daemon, RdpFile *file);
/* The option that makes it a chardev of QEMU, which connects again and again */
char *rdp_storage_daemon_chardev(const RdpStorageDaemon *daemon,
                                 const char *id);
/* End the daemon at once, as a crash would ... */
void rdp_storage_daemon_kill(RdpStorageDaemon *daemon);
/* ... and start it again */
void rdp_storage_daemon_start(RdpStorageDaemon *daemon);
/* QEMU has ended */
void rdp_storage_daemon_cleanup(RdpStorageDaemon *daemon);

#endif
