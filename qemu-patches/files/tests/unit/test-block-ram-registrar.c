/*
 * Which RAM of the guest block drivers get to see
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "block/block_int.h"
#include "exec/ramlist.h"
#include "qapi/error.h"
#include "qobject/qdict.h"
#include "qemu/main-loop.h"
#include "system/block-backend.h"
#include "system/block-ram-registrar.h"

#define BLOCKS 3
#define BLOCK_SIZE 4096

static char ram[BLOCKS][BLOCK_SIZE];
static bool registered[BLOCKS];

/* In place of the system emulator's */

static void test_ram_block_notifier_add(RAMBlockNotifier *n)
{
    for (int i = 0; i < BLOCKS; i++) {
        n->ram_block_added(n, ram[i], BLOCK_SIZE, BLOCK_SIZE);
    }
}

static void test_ram_block_notifier_remove(RAMBlockNotifier *n)
{
    for (int i = 0; i < BLOCKS; i++) {
        n->ram_block_removed(n, ram[i], BLOCK_SIZE, BLOCK_SIZE);
    }
}

#define ram_block_notifier_add test_ram_block_notifier_add
#define ram_block_notifier_remove test_ram_block_notifier_remove
#include "../../block/block-ram-registrar.c"

/* A block driver that wants to know all I/O buffers */

static int block_index(void *host)
{
    size_t offset = (char *)host - ram[0];

    g_assert_cmpuint(offset, <, sizeof(ram));
    return offset / BLOCK_SIZE;
}

static bool test_register_buf(BlockDriverState *bs, void *host, size_t size,
                              Error **errp)
{
    g_assert_false(registered[block_index(host)]);
    registered[block_index(host)] = true;
    return true;
}

static void test_unregister_buf(BlockDriverState *bs, void *host, size_t size)
{
    g_assert_true(registered[block_index(host)]);
    registered[block_index(host)] = false;
}

static BlockDriver driver_that_registers = {
    .format_name = "registers",
    .bdrv_child_perm = bdrv_default_perms,
    .bdrv_register_buf = test_register_buf,
    .bdrv_unregister_buf = test_unregister_buf,
};

static BlockDriver driver_that_maps_all = {
    .format_name = "maps-all",
    .bdrv_child_perm = bdrv_default_perms,
    .maps_all_ram = true,
};

static BlockBackend *blk_on(BlockDriver *drv)
{
    BlockBackend *blk = blk_new(qemu_get_aio_context(), 0, BLK_PERM_ALL);
    BlockDriverState *bs = bdrv_new_open_driver(drv, NULL, 0, &error_abort);

    blk_insert_bs(blk, bs, &error_abort);
    bdrv_unref(bs);
    return blk;
}

/* Attach a node to @parent; returns NULL on failure */
static BlockDriverState *attach_under(BlockDriverState *parent,
                                      BlockDriver *drv, Error **errp)
{
    BlockDriverState *bs = bdrv_new_open_driver(drv, NULL, 0, &error_abort);
    BdrvChild *child;

    bdrv_ref(bs);
    bdrv_graph_wrlock();
    child = bdrv_attach_child(parent, bs, "child", &child_of_bds,
                              BDRV_CHILD_DATA, errp);
    bdrv_graph_wrunlock();
    if (!child) {
        bdrv_unref(bs);
        return NULL;
    }
    return bs;
}

static void assert_refused(Error **err)
{
    g_assert_nonnull(strstr(error_get_pretty(*err), "'maps-all'"));
    error_free(*err);
    *err = NULL;
}

static void assert_registered(bool a, bool b, bool c)
{
    g_assert_cmpint(registered[0], ==, a);
    g_assert_cmpint(registered[1], ==, b);
    g_assert_cmpint(registered[2], ==, c);
}

static void test_all(void)
{
    BlockBackend *blk = blk_on(&driver_that_registers);
    BlockRAMRegistrar r;

    blk_ram_registrar_init(&r, blk);
    g_assert_true(blk_ram_registrar_ok(&r));
    assert_registered(true, true, true);
    blk_ram_registrar_destroy(&r);
    assert_registered(false, false, false);
    blk_unref(blk);
}

static void test_one(void)
{
    BlockBackend *blk = blk_on(&driver_that_registers);
    BlockRAMRegistrar r;

    blk_ram_registrar_init_one(&r, blk, ram[1]);
    g_assert_true(blk_ram_registrar_ok(&r));
    assert_registered(false, true, false);
    blk_ram_registrar_destroy(&r);
    assert_registered(false, false, false);
    blk_unref(blk);
}

static void test_refuse(void)
{
    BlockBackend *blk = blk_on(&driver_that_maps_all);
    Error *err = NULL;

    g_assert_false(blk_confine_ram(blk, &err));
    assert_refused(&err);
    blk_unref(blk);

    blk = blk_on(&driver_that_registers);
    g_assert_true(blk_confine_ram(blk, &error_abort));
    blk_unref(blk);
}

/* Nor does such a driver get below the device later, however deep */
static void test_refuse_later(void)
{
    BlockBackend *other = blk_on(&driver_that_maps_all);
    BlockBackend *blk = blk_new(qemu_get_aio_context(), 0, BLK_PERM_ALL);
    BlockDriverState *deep;
    Error *err = NULL;

    g_assert_true(blk_confine_ram(blk, &error_abort));
    g_assert_cmpint(blk_insert_bs(blk, blk_bs(other), &err), <, 0);
    assert_refused(&err);
    blk_unref(blk);

    blk = blk_on(&driver_that_registers);
    g_assert_true(blk_confine_ram(blk, &error_abort));
    g_assert_cmpint(blk_replace_bs(blk, blk_bs(other), &err), <, 0);
    assert_refused(&err);

    deep = attach_under(blk_bs(blk), &driver_that_registers, &error_abort);
    g_assert_null(attach_under(deep, &driver_that_maps_all, &err));
    assert_refused(&err);
    bdrv_drain_all_begin();
    bdrv_graph_wrlock();
    g_assert_cmpint(bdrv_replace_node(deep, blk_bs(other), &err), <, 0);
    bdrv_graph_wrunlock();
    bdrv_drain_all_end();
    assert_refused(&err);

    /* What is not below it may be as it likes */
    bdrv_unref(attach_under(blk_bs(other), &driver_that_maps_all,
                            &error_abort));
    bdrv_unref(deep);
    blk_unref(blk);
    blk_unref(other);
}

static QDict *raw_on(const char *file)
{
    QDict *options = qdict_new();

    qdict_put_str(options, "driver", "raw");
    qdict_put_str(options, "file", file);
    return options;
}

/* blockdev-reopen gives a node another child */
static void test_refuse_reopen(void)
{
    BlockDriverState *good, *bad, *raw;
    BlockBackend *blk = blk_new(qemu_get_aio_context(), 0, BLK_PERM_ALL);
    Error *err = NULL;

    good = bdrv_new_open_driver(&driver_that_registers, "good", 0,
                                &error_abort);
    bad = bdrv_new_open_driver(&driver_that_maps_all, "bad", 0, &error_abort);
    raw = bdrv_open(NULL, NULL, raw_on("good"), 0, &error_abort);
    blk_insert_bs(blk, raw, &error_abort);
    g_assert_true(blk_confine_ram(blk, &error_abort));

    g_assert_cmpint(bdrv_reopen(raw, raw_on("bad"), false, &err), <, 0);
    assert_refused(&err);
    g_assert_true(raw->file->bs == good);
    bdrv_reopen(raw, raw_on("good"), false, &error_abort);

    blk_unref(blk);
    bdrv_unref(raw);
    bdrv_unref(bad);
    bdrv_unref(good);
}

int main(int argc, char **argv)
{
    bdrv_init();
    qemu_init_main_loop(&error_abort);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block-ram-registrar/all", test_all);
    g_test_add_func("/block-ram-registrar/one", test_one);
    g_test_add_func("/block-ram-registrar/refuse", test_refuse);
    g_test_add_func("/block-ram-registrar/refuse-later", test_refuse_later);
    g_test_add_func("/block-ram-registrar/refuse-reopen", test_refuse_reopen);
    return g_test_run();
}
