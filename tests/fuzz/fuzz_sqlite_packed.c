/* A message's row in an SQLite file. The first two bytes give the size of `large`; the rest is
 * `packed`. An accepted row, packed again, gives the same bytes. */
#include "store/sqlite/sqlite_packed.h"
#include "tests/fuzz/fuzz.h"

static void pack_again(const struct weir_row *row, struct weir_slice packed,
                       struct weir_slice large)
{
    struct sqlite_packed again;
    if (!weir_sqlite_pack(row, &again)) {
        return;  // longer than any valid name
    }
    /* Long values may be stored in one part and short values in two; both forms are readable. */
    if (again.is_large == (large.p != NULL)) {
        require(weir_slice_equal(packed, weir_slice(again.bytes, again.n)));
    }
    if (large.p != NULL) {
        uint8_t bytes[UINT16_MAX];
        require(row->data.n + row->metadata.n == large.n && large.n <= sizeof bytes);
        weir_sqlite_pack_large(row, bytes);
        require(memcmp(bytes, large.p, large.n) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const size_t announced = (size_t)data[0] << 8 | data[1];
    const size_t large_n = announced < size - 2 ? announced : size - 2;
    const struct weir_slice large = weir_slice(large_n == 0 ? NULL : data + 2, large_n);
    const struct weir_slice packed = weir_slice(data + 2 + large_n, size - 2 - large_n);
    struct weir_row row;
    struct weir_row head;
    const bool is_head = weir_sqlite_unpack_head(packed, &head);
    if (!weir_sqlite_unpack(packed, large, &row)) {
        return 0;
    }
    require(is_head);
    require(weir_slice_equal(head.stream, row.stream) && weir_slice_equal(head.type, row.type));
    require(head.time_us == row.time_us && head.data.p == NULL && head.metadata.p == NULL);
    pack_again(&row, packed, large);
    return 0;
}
