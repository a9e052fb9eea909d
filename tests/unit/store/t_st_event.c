#include "room.h"

static int64_t add_event(struct room *r, int64_t job, const char *text)
{
    struct rec_event e = {.job = job, .wall_us = 5, .kind = "state"};
    int64_t id = 0;

    (void)snprintf(e.text, sizeof e.text, "%s", text);
    ok(store_event_add(r->s, &e, &id, &r->err));
    return id;
}

static void test_events(void **state)
{
    struct room *r = *state;
    int64_t a = add_event(r, 1, "one"), b = add_event(r, 2, "two"),
            c = add_event(r, 1, "three");
    struct rec_event *rows = NULL;
    size_t n = 0;

    assert_true(a < b && b < c);
    ok(store_event_list(r->s, 0, a, 0, &rows, &n, &r->err));
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].id, b);
    assert_int_equal(rows[0].job, 2);
    assert_int_equal(rows[0].wall_us, 5);
    assert_string_equal(rows[0].kind, "state");
    assert_string_equal(rows[0].text, "two");
    bbt_free(rows);
    ok(store_event_list(r->s, 1, a, 0, &rows, &n, &r->err));
    assert_int_equal(n, 1);
    assert_string_equal(rows[0].text, "three");
    bbt_free(rows);
    ok(store_event_list(r->s, 0, 0, 1, &rows, &n, &r->err));
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].id, a);
    bbt_free(rows);
    ok(store_event_list(r->s, 9, 0, 0, &rows, &n, &r->err));
    assert_int_equal(n, 0);
    assert_null(rows);
}

/* A reader who saw a cursor must not miss what comes later: ids are never used twice.
 */
static void test_cursor_never_repeats(void **state)
{
    struct room *r = *state;
    int64_t last = add_event(r, 0, "x");

    assert_int_equal(
        sqlite3_exec(r->s->db, "DELETE FROM event", NULL, NULL, NULL), SQLITE_OK);
    room_close(r);
    room_open(r);
    assert_true(add_event(r, 0, "y") > last);
}

static void name_of(const void *bytes, size_t len, char *hex)
{
    uint8_t d[DIGEST_LEN];

    assert_int_equal(digest_sha256(bytes, len, d), BBT_OK);
    digest_hex(d, hex);
}

static void test_blobs(void **state)
{
    struct room *r = *state;
    /* SHA-256 of "abc", from FIPS 180-2 */
    static const char abc[] =
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    char name[DIGEST_HEX];
    void *bytes = NULL;
    size_t len = 0;
    bool has = true;

    ok(store_blob_has(r->s, abc, &has, &r->err));
    assert_false(has);
    fails(store_blob_get(r->s, abc, &bytes, &len, &r->err), BBT_NOTFOUND);
    ok(store_blob_put(r->s, abc, "abc", 3, &r->err));
    ok(store_blob_put(r->s, abc, "abc", 3, &r->err));
    ok(store_blob_has(r->s, abc, &has, &r->err));
    assert_true(has);
    ok(store_blob_get(r->s, abc, &bytes, &len, &r->err));
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "abc", 3);
    bbt_free(bytes);
    name_of("", 0, name);
    ok(store_blob_put(r->s, name, NULL, 0, &r->err));
    ok(store_blob_get(r->s, name, &bytes, &len, &r->err));
    assert_int_equal(len, 0);
    assert_non_null(bytes);
    bbt_free(bytes);
}

static void test_wrong_blobs(void **state)
{
    struct room *r = *state;
    char name[DIGEST_HEX], upper[DIGEST_HEX];
    uint64_t before = contents(r);

    name_of("abc", 3, name);
    memcpy(upper, name, sizeof upper);
    upper[0] = 'B';
    fails(store_blob_put(r->s, name, "abd", 3, &r->err), BBT_INVALID);
    fails(store_blob_put(r->s, upper, "abc", 3, &r->err), BBT_INVALID);
    fails(store_blob_put(r->s, "", "abc", 3, &r->err), BBT_INVALID);
    fails(store_blob_put(r->s, "../../etc/passwd", "abc", 3, &r->err), BBT_INVALID);
    fails(store_blob_put(r->s, name, "abc", STORE_BLOB_MAX + 1u, &r->err), BBT_INVALID);
    assert_int_equal(contents(r), before);
}

#define T(f) cmocka_unit_test_setup_teardown(f, room_setup_open, room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_events),
        T(test_cursor_never_repeats),
        T(test_blobs),
        T(test_wrong_blobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
