/*
 * ACPI description of restricted DMA pools
 *
 * Each pool is a device with the id PRP0001, which tells guests to match it by
 * the devicetree property "compatible".  Its range is in _CRS and nowhere else,
 * because ACPI does not let a _DSD repeat a resource.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/acpi/acpi-defs.h"
#include "hw/acpi/aml-build.h"
#include "hw/acpi/restricted-dma.h"
#include "hw/mem/restricted-dma-pool.h"

/* UUID of device properties, from the "_DSD Implementation Guide" */
#define DSD_PROPERTIES_UUID "DAFFD814-6EBA-4D8C-8A91-BC9BBF4AA301"

static Aml *pool_property(const char *name, Aml *value)
{
    Aml *property = aml_package(2);

    aml_append(property, aml_string("%s", name));
    aml_append(property, value);
    return property;
}

static Aml *pool_device(const RestrictedDMAPool *pool, unsigned uid)
{
    hwaddr base = restricted_dma_pool_base(pool);
    uint64_t size = restricted_dma_pool_size(pool);
    bool is_default = restricted_dma_pool_is_default(pool);
    Aml *dev = aml_device(uid < 16 ? "RDP%X" : "RD%02X", uid);
    Aml *crs = aml_resource_template();
    Aml *properties = aml_package(is_default ? 2 : 1);
    Aml *dsd = aml_package(2);

    aml_append(dev, aml_name_decl("_HID", aml_string("PRP0001")));
    aml_append(dev, aml_name_decl("_UID", aml_int(uid)));
    aml_append(dev, aml_name_decl("_STA", aml_int(0xf)));
    aml_append(dev, aml_name_decl("_CCA", aml_int(1)));

    /* Reserved, as in the memory map: not for use as ordinary memory */
    aml_append(crs, aml_qword_memory_consumer(AML_ADDRESS_RANGE_RESERVED,
                                              AML_CACHEABLE, AML_READ_WRITE,
                                              base, size));
    aml_append(dev, aml_name_decl("_CRS", crs));

    aml_append(properties, pool_property("compatible",
                                         aml_string("restricted-dma-pool")));
    if (is_default) {
        /* Its presence is what counts: devicetree booleans have no value. */
        aml_append(properties, pool_property("linux,dma-default", aml_int(1)));
    }
    aml_append(dsd, aml_touuid(DSD_PROPERTIES_UUID));
    aml_append(dsd, properties);
    aml_append(dev, aml_name_decl("_DSD", dsd));
    return dev;
}

void restricted_dma_build_acpi(GArray *table_offsets, GArray *table_data,
                               BIOSLinker *linker, const char *oem_id)
{
    g_autoptr(GSList) pools = restricted_dma_pools_list();
    AcpiTable table = { .sig = "SSDT", .rev = 2, .oem_id = oem_id,
                        .oem_table_id = "DMAPOOLS" };
    unsigned uid = 0;
    Aml *ssdt, *scope;

    if (!pools) {
        return;
    }

    acpi_add_table(table_offsets, table_data);
    acpi_table_begin(&table, table_data);
    ssdt = init_aml_allocator();

    scope = aml_scope("\\_SB");
    for (GSList *l = pools; l; l = l->next) {
        aml_append(scope, pool_device(l->data, uid++));
    }
    aml_append(ssdt, scope);

    g_array_append_vals(table_data, ssdt->buf->data, ssdt->buf->len);
    acpi_table_end(linker, &table);
    free_aml_allocator();
}
