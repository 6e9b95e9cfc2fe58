/*
 * Decoder for the ACPI table that describes restricted DMA pools
 *
 * A recursive descent through the AML of ACPI 6.5, chapter 20.2.  It accepts
 * only the form that the table of pools has, and asserts on any other.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "aml.h"

#define HEADER_LEN          36

#define ZERO_OP             0x00
#define ONE_OP              0x01
#define NAME_OP             0x08
#define BYTE_PREFIX         0x0a
#define WORD_PREFIX         0x0b
#define STRING_PREFIX       0x0d
#define SCOPE_OP            0x10
#define BUFFER_OP           0x11
#define PACKAGE_OP          0x12
#define EXT_OP_PREFIX       0x5b
#define DEVICE_OP           0x82

/* What is left of the object being decoded */
typedef struct Aml {
    const uint8_t *at;
    const uint8_t *end;
} Aml;

static const uint8_t *take(Aml *aml, size_t len)
{
    const uint8_t *at = aml->at;

    g_assert_cmpuint(len, <=, aml->end - at);
    aml->at += len;
    return at;
}

static uint8_t take_byte(Aml *aml)
{
    return *take(aml, 1);
}

static void expect_bytes(Aml *aml, const void *bytes, size_t len)
{
    g_assert_cmpmem(take(aml, len), len, bytes, len);
}

static void expect_byte(Aml *aml, uint8_t byte)
{
    g_assert_cmphex(take_byte(aml), ==, byte);
}

static void expect_end(const Aml *aml)
{
    g_assert_true(aml->at == aml->end);
}

/* An object that begins with its length, which includes that of the length */
static Aml take_package(Aml *aml)
{
    const uint8_t *start = aml->at;
    uint8_t lead = take_byte(aml);
    unsigned more = lead >> 6, i;
    size_t len = more ? lead & 0x0f : lead & 0x3f;

    for (i = 0; i < more; i++) {
        len |= take_byte(aml) << (4 + 8 * i);
    }
    g_assert_cmpuint(len, >=, aml->at - start);
    take(aml, len - (aml->at - start));
    return (Aml) { aml->at - (len - 1 - more), aml->at };
}

static uint64_t take_integer(Aml *aml)
{
    switch (take_byte(aml)) {
    case ZERO_OP:
        return 0;
    case ONE_OP:
        return 1;
    case BYTE_PREFIX:
        return take_byte(aml);
    case WORD_PREFIX:
        return lduw_le_p(take(aml, 2));
    default:
        g_assert_not_reached();
    }
}

static void expect_string(Aml *aml, const char *string)
{
    expect_byte(aml, STRING_PREFIX);
    expect_bytes(aml, string, strlen(string) + 1);
}

static void expect_name(Aml *aml, const char *name)
{
    expect_byte(aml, NAME_OP);
    expect_bytes(aml, name, 4);
}

static Aml take_buffer(Aml *aml)
{
    Aml buffer;

    expect_byte(aml, BUFFER_OP);
    buffer = take_package(aml);
    g_assert_cmpuint(take_integer(&buffer), ==, buffer.end - buffer.at);
    return buffer;
}

static Aml take_elements(Aml *aml, unsigned n)
{
    Aml package;

    expect_byte(aml, PACKAGE_OP);
    package = take_package(aml);
    g_assert_cmpuint(take_byte(&package), ==, n);
    return package;
}

/* ACPI 6.5, 6.4.3.5.1 QWord Address Space Descriptor, and an end tag */
static void decode_crs(Aml crs, RdpAcpiPool *pool)
{
    static const uint8_t head[] = {
        0x8a, 0x2b, 0x00,       /* tag, length */
        0,                      /* memory */
        0x0d,                   /* fixed on both ends, consumed */
        0x0b,                   /* reserved, cacheable, read-write */
    };
    static const uint8_t end_tag[] = { 0x79, 0 };
    uint64_t max;

    expect_bytes(&crs, head, sizeof(head));
    g_assert_cmphex(ldq_le_p(take(&crs, 8)), ==, 0);    /* granularity */
    pool->base = ldq_le_p(take(&crs, 8));
    max = ldq_le_p(take(&crs, 8));
    g_assert_cmphex(ldq_le_p(take(&crs, 8)), ==, 0);    /* translation */
    pool->size = ldq_le_p(take(&crs, 8));
    g_assert_cmphex(max, ==, pool->base + pool->size - 1);
    expect_bytes(&crs, end_tag, sizeof(end_tag));
    expect_end(&crs);
}

static void decode_dsd(Aml *aml, RdpAcpiPool *pool)
{
    static const uint8_t uuid[] = { /* daffd814-6eba-4d8c-8a91-bc9bbf4aa301 */
        0x14, 0xd8, 0xff, 0xda, 0xba, 0x6e, 0x8c, 0x4d,
        0x8a, 0x91, 0xbc, 0x9b, 0xbf, 0x4a, 0xa3, 0x01,
    };
    Aml dsd = take_elements(aml, 2);
    Aml bytes = take_buffer(&dsd);
    Aml properties, property;
    unsigned n;

    expect_bytes(&bytes, uuid, sizeof(uuid));
    expect_end(&bytes);

    expect_byte(&dsd, PACKAGE_OP);
    properties = take_package(&dsd);
    expect_end(&dsd);
    n = take_byte(&properties);
    property = take_elements(&properties, 2);
    expect_string(&property, "compatible");
    expect_string(&property, "restricted-dma-pool");
    expect_end(&property);
    pool->dma_default = n > 1;
    if (pool->dma_default) {
        g_assert_cmpuint(n, ==, 2);
        property = take_elements(&properties, 2);
        expect_string(&property, "linux,dma-default");
        g_assert_cmpuint(take_integer(&property), ==, 1);
        expect_end(&property);
    }
    expect_end(&properties);
}

static void decode_device(Aml dev, RdpAcpiPool *pool)
{
    memcpy(pool->name, take(&dev, 4), 4);
    pool->name[4] = 0;
    expect_name(&dev, "_HID");
    expect_string(&dev, "PRP0001");
    expect_name(&dev, "_UID");
    pool->uid = take_integer(&dev);
    expect_name(&dev, "_STA");
    g_assert_cmphex(take_integer(&dev), ==, 0xf);
    expect_name(&dev, "_CCA");
    g_assert_cmphex(take_integer(&dev), ==, 1);
    expect_name(&dev, "_CRS");
    decode_crs(take_buffer(&dev), pool);
    expect_name(&dev, "_DSD");
    decode_dsd(&dev, pool);
    expect_end(&dev);
}

unsigned rdp_decode_ssdt(const uint8_t *ssdt, size_t len, RdpAcpiPool *pools,
                         unsigned max)
{
    Aml aml = { ssdt, ssdt + len };
    unsigned n = 0;
    Aml scope;

    expect_bytes(&aml, "SSDT", 4);
    g_assert_cmpuint(ldl_le_p(take(&aml, 4)), ==, len);
    expect_byte(&aml, 2);                   /* revision: integers of 64 bits */
    take(&aml, 1);                          /* checksum: left to firmware */
    expect_bytes(&aml, "BOCHS ", 6);
    expect_bytes(&aml, "DMAPOOLS", 8);
    take(&aml, ssdt + HEADER_LEN - aml.at);

    expect_byte(&aml, SCOPE_OP);
    scope = take_package(&aml);
    expect_end(&aml);
    expect_bytes(&scope, "\\_SB_", 5);
    while (scope.at < scope.end) {
        g_assert_cmpuint(n, <, max);
        expect_byte(&scope, EXT_OP_PREFIX);
        expect_byte(&scope, DEVICE_OP);
        decode_device(take_package(&scope), &pools[n++]);
    }
    return n;
}
