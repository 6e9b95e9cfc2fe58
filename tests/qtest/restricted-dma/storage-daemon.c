/*
 * Restricted DMA pools: qemu-storage-daemon as the back end of a disk
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qemu/sockets.h"
#include "storage-daemon.h"

static const char *binary(void)
{
    return getenv("QTEST_QEMU_STORAGE_DAEMON_BINARY");
}

bool rdp_has_storage_daemon(void)
{
    return binary() && !access(binary(), X_OK);
}

/* A test that fails must not leave the daemon behind */
static void kill_daemon(void *opaque)
{
    rdp_storage_daemon_kill(opaque);
}

void rdp_storage_daemon_start(RdpStorageDaemon *daemon)
{
    g_autofree char *blockdev =
        g_strdup_printf("file,node-name=disk,filename=%s", daemon->disk);
    g_autofree char *export =
        g_strdup_printf("vhost-user-blk,id=export,node-name=disk,writable=on,"
                        "addr.type=fd,addr.str=%d", daemon->listener);

    qtest_add_abrt_handler(kill_daemon, daemon);
    daemon->pid = fork();
    g_assert_cmpint(daemon->pid, >=, 0);
    if (!daemon->pid) {
        execlp(binary(), binary(), "--blockdev", blockdev, "--export", export,
               NULL);
        _exit(1);
    }
}

void rdp_storage_daemon_init(RdpStorageDaemon *daemon, RdpFile *file)
{
    daemon->dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);
    g_assert_nonnull(daemon->dir);
    daemon->path = g_build_filename(daemon->dir, "socket", NULL);
    daemon->listener = qtest_socket_server(daemon->path);
    rdp_file_init(file, daemon->dir, "disk", RDP_DISK_SIZE, 0x30000000);
    daemon->disk = g_strdup(file->path);
    rdp_storage_daemon_start(daemon);
}

char *rdp_storage_daemon_chardev(const RdpStorageDaemon *daemon,
                                 const char *id)
{
    return g_strdup_printf("-chardev socket,id=%s,path=%s,reconnect-ms=10 ",
                           id, daemon->path);
}

void rdp_storage_daemon_kill(RdpStorageDaemon *daemon)
{
    qtest_remove_abrt_handler(daemon);
    kill(daemon->pid, SIGKILL);
    g_assert_cmpint(waitpid(daemon->pid, NULL, 0), ==, daemon->pid);
}

void rdp_storage_daemon_cleanup(RdpStorageDaemon *daemon)
{
    rdp_storage_daemon_kill(daemon);
    close(daemon->listener);
    unlink(daemon->path);
    unlink(daemon->disk);
    g_assert_cmpint(g_rmdir(daemon->dir), ==, 0);
    g_free(daemon->path);
    g_free(daemon->disk);
    g_free(daemon->dir);
}
