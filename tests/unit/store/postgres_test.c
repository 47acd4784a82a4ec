/* SPDX-License-Identifier: BSD-2-Clause */

/* What only this store has: a server that goes away, rights that are missing, ip4r, several collectors. */

#include <errno.h>
#include <pthread.h>

#include "wt_pgstore.h"

/* The connections are cut, within a snapshot too: that one is lost, the next is not. */
static void test_connections_are_cut(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	struct store_reader *r;
	uint64_t sum;
	assert_int_equal(ops->reader_open(s, &r, NULL), 0);
	assert_int_equal(write_one(s, "c", 1, &err), STORE_OK);
	for (uint64_t i = 2; i < 5; i++) {
		assert_int_equal(ask(r, true, &sum, &err), 0);
		assert_true(pg_sql("postgres", "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
			" WHERE application_name = 'whereto'", NULL, 0));
		assert_int_equal(write_one(s, "c", i, &err), STORE_OK);
		assert_int_equal(ask(r, true, &sum, &err), -EBUSY);
		assert_int_equal(ask(r, false, &sum, &err), 0);
		assert_int_equal(sum, i * 10);
	}
	ops->reader_close(r);
	ops->close(s);
}

/* A statement that waits is ended by the server, a server that does not answer is left; the next question is
 * answered. */
static void test_deadlines(void **state)
{
	char name[32], url[200], answer[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	struct store_reader *r;
	uint64_t sum;
	assert_int_equal(ops->reader_open(s, &r, NULL), 0);
	assert_int_equal(write_one(s, "c", 1, &err), STORE_OK);
	pg_url(url, sizeof(url), "wt", name);
	PGconn *pq = PQconnectdb(url);
	PQclear(PQexec(pq, "BEGIN; LOCK TABLE whereto.total_day"));
	assert_int_equal(PQtransactionStatus(pq), PQTRANS_INTRANS);
	assert_int_equal(ask_within(r, 50, false, &sum, &err), -ETIMEDOUT);
	PQfinish(pq);
	assert_int_equal(ask(r, true, &sum, &err), 0);
	assert_int_equal(sum, 10);
	assert_true(pg_sql(name, "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"
		" AND datname = current_database()", answer, sizeof(answer)));
	pid_t backend = (pid_t)strtol(answer, NULL, 10);
	assert_true(backend > 1);
	assert_int_equal(kill(backend, SIGSTOP), 0);
	int result = ask_within(r, 50, true, &sum, &err);
	assert_int_equal(kill(backend, SIGCONT), 0);
	assert_int_equal(result, -ETIMEDOUT);
	assert_int_equal(ask(r, false, &sum, &err), 0);
	assert_int_equal(sum, 10);
	ops->reader_close(r);
	ops->close(s);
}

struct stopping {
	atomic_bool give_up;
	struct store *store;
	enum store_result result;
	struct error err;
};

static void *write_second(void *arg)
{
	struct stopping *st = arg;
	st->result = write_one(st->store, "c", 2, &st->err);
	return NULL;
}

/* A server that says nothing is not waited for once the store is given up; the batch is written later. */
static void test_give_up(void **state)
{
	char name[32], url[200];
	struct error err = {0};
	struct store *s = open_fresh(name);
	struct stopping st = {0};
	struct store_config config = {.url = url, .retention_s = FOREVER, .give_up = &st.give_up};
	pthread_t thread;
	int64_t waiting = 0;
	ops->close(s);
	pg_url(url, sizeof(url), "wt", name);
	assert_int_equal(ops->open(&config, &st.store, &err), 0);
	assert_int_equal(write_one(st.store, "c", 1, &err), STORE_OK);
	PGconn *pq = PQconnectdb(url);
	PQclear(PQexec(pq, "BEGIN; LOCK TABLE whereto.flow_new"));
	assert_int_equal(PQtransactionStatus(pq), PQTRANS_INTRANS);
	assert_int_equal(pthread_create(&thread, NULL, write_second, &st), 0);
	while (!waiting) /* in the middle of its batch */
		assert_int_equal(pg_number(pq, name, "SELECT count(*) FROM pg_locks WHERE NOT granted", "looking", &waiting, &err), 0);
	atomic_store(&st.give_up, true);
	(void)pthread_join(thread, NULL);
	assert_int_equal(st.result, STORE_RETRY);
	PQfinish(pq);
	atomic_store(&st.give_up, false);
	assert_int_equal(write_one(st.store, "c", 2, &err), STORE_OK);
	check_sql(name, "SELECT sum(bytes_sent) FROM whereto.flow_day", "20");
	ops->close(st.store);
}

static void test_read_only(void **state)
{
	char name[32], sql[200];
	struct error err = {0};
	struct store *s = open_fresh(name);
	static const char *const settings[] = {"on", "off"};
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		(void)snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET default_transaction_read_only = %s", name, settings[i]);
		assert_true(pg_sql("postgres", sql, NULL, 0));
		assert_true(pg_sql("postgres", "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
			" WHERE application_name = 'whereto'", NULL, 0));
		assert_int_equal(write_one(s, "c", 1, &err), i ? STORE_OK : STORE_RETRY);
		assert_int_equal(err.code, -EROFS);
	}
	ops->close(s);
}

/* A user who may not bring in ip4r is told who may, and what to run; with ip4r there the rest is theirs to do. */
static void test_ip4r_is_missing(void **state)
{
	char name[32], sql[200];
	struct error err = {0};
	struct store *s;
	pg_fresh(name);
	assert_true(pg_sql("postgres", "CREATE ROLE plain LOGIN", NULL, 0));
	(void)snprintf(sql, sizeof(sql), "ALTER DATABASE %s OWNER TO plain", name);
	assert_true(pg_sql("postgres", sql, NULL, 0));
	assert_int_equal(open_as("plain", name, &s, &err), -EACCES);
	assert_non_null(strstr(err.text, "CREATE EXTENSION ip4r"));
	assert_non_null(strstr(err.text, name));
	assert_true(pg_sql(name, "CREATE SCHEMA elsewhere", NULL, 0));
	assert_true(pg_sql(name, "GRANT USAGE ON SCHEMA elsewhere TO plain", NULL, 0));
	assert_true(pg_sql(name, "CREATE EXTENSION ip4r SCHEMA elsewhere", NULL, 0));
	assert_int_equal(open_as("plain", name, &s, &err), 0);
	assert_int_equal(write_one(s, "c", 1, &err), STORE_OK);
	ops->close(s);
	assert_int_equal(open_as("plain", name, &s, &err), 0);
	assert_int_equal(write_one(s, "c", 1, &err), STORE_DUPLICATE);
	ops->close(s);
	assert_int_equal(open_as("nobody_at_all", name, &s, &err), -EACCES);
	assert_int_equal(open_as("wt", "no_such_database", &s, &err), -EACCES);
}

/* Who may not make the schema is told what to run, and once that is there the rest is theirs to do. */
static void test_a_schema_made_by_others(void **state)
{
	char name[32], sql[200], answer[8];
	struct error err = {0};
	struct store *s;
	pg_fresh(name);
	assert_true(pg_sql("postgres", "CREATE ROLE \"a'b\" LOGIN", NULL, 0));
	assert_true(pg_sql(name, "CREATE EXTENSION ip4r", NULL, 0));
	assert_int_equal(open_as("a%27b", name, &s, &err), -EACCES);
	(void)snprintf(sql, sizeof(sql), "psql -d '%s' -c 'CREATE SCHEMA whereto AUTHORIZATION \"a'\\''b\"'", name);
	assert_non_null(strstr(err.text, sql));
	assert_true(pg_sql(name, "CREATE SCHEMA whereto", NULL, 0));
	assert_int_equal(open_as("a%27b", name, &s, &err), -EACCES);
	assert_non_null(strstr(err.text, "ALTER SCHEMA whereto OWNER TO"));
	assert_true(pg_sql(name, "ALTER SCHEMA whereto OWNER TO \"a'b\"", answer, sizeof(answer)));
	if (open_as("a%27b", name, &s, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(write_one(s, "c", 1, &err), STORE_OK);
	ops->close(s);
}

static void test_encoding(void **state)
{
	static const char *const encodings[] = {"LATIN1", "SQL_ASCII"};
	for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
		char name[16], sql[100];
		struct error err = {0};
		struct store *s;
		(void)snprintf(name, sizeof(name), "enc%u", (unsigned)i % 10);
		(void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s ENCODING '%s' TEMPLATE template0", name, encodings[i]);
		assert_true(pg_sql("postgres", sql, NULL, 0));
		assert_int_equal(open_as("wt", name, &s, &err), i ? 0 : -EINVAL);
		if (i)
			ops->close(s);
		else
			assert_non_null(strstr(err.text, "LATIN1"));
	}
}

/* Until others have left it cannot be told from a server that is away. */
static void test_no_connection_left(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s;
	pg_fresh(name);
	assert_true(pg_sql("postgres", "CREATE ROLE few LOGIN CONNECTION LIMIT 0", NULL, 0));
	assert_int_equal(open_as("few", name, &s, &err), -EBUSY);
}

static void test_names(void **state)
{
	static const char *const names[][2] = {{"postgresql://u:hush@[::1]:6000/d", "u@[::1]:6000/d"}, {"postgresql://u@h/", "u@h:5432/u"},
		{"postgresql:///d", "elsewhere:6432/d"}, {"postgresql:///?service=main", "service main/"}};
	assert_int_equal(setenv("PGHOST", "elsewhere", 1) | setenv("PGPORT", "6432", 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char name[PG_NAME_MAX];
		struct error err = {0};
		if (i == 1)
			assert_int_equal(unsetenv("PGPORT"), 0);
		else
			assert_int_equal(setenv("PGPORT", "6432", 1), 0);
		assert_int_equal(pg_name(names[i][0], name, &err), 0);
		assert_string_equal(name, names[i][1]);
	}
	assert_int_equal(unsetenv("PGHOST") | unsetenv("PGPORT"), 0);
}

static void test_other_schemas_are_left_alone(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	ops->close(s);
	assert_true(pg_sql(name, "UPDATE whereto.meta SET value = '999'", NULL, 0));
	assert_int_equal(open_as("wt", name, &s, &err), -EPROTO);
	assert_non_null(strstr(err.text, "newer"));
	pg_fresh(name);
	assert_true(pg_sql(name, "CREATE SCHEMA whereto CREATE TABLE mine(x int)", NULL, 0));
	assert_int_equal(open_as("wt", name, &s, &err), -EPROTO);
	assert_true(pg_sql(name, "SELECT x FROM whereto.mine", NULL, 0));
}

/* What others set for a role or a database does not reach our connections. */
static void test_settings_of_others(void **state)
{
	static const char *const settings[] = {"statement_timeout = '1h'", "default_transaction_isolation = 'serializable'",
		"standard_conforming_strings = off"};
	static const char *const expected[] = {"0", "read committed", "on"};
	char name[32], sql[200];
	struct error err = {0};
	struct store *s;
	pg_fresh(name);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		(void)snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET %s", name, settings[i]);
		assert_true(pg_sql("postgres", sql, NULL, 0));
	}
	if (open_as("wt", name, &s, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(write_one(s, "c", 1, &err), STORE_OK);
	for (int more = 1; more > 0;)
		assert_true((more = ops->maintain(s, T0 + 86400, &err)) >= 0);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		(void)snprintf(sql, sizeof(sql), "SHOW %.*s", (int)strcspn(settings[i], " "), settings[i]);
		PGresult *res = PQexec(CONTAINER_OF(s, struct postgres_store, base)->pq, sql);
		assert_string_equal(PQgetvalue(res, 0, 0), expected[i]);
		PQclear(res);
	}
	ops->close(s);
}

static void test_a_password_is_not_told(void **state)
{
	struct error err = {0};
	struct store *s;
	struct store_config config = {.url = "postgresql://u:hush@127.0.0.1:1/d", .retention_s = FOREVER};
	assert_int_equal(ops->open(&config, &s, &err), -EBUSY);
	assert_null(strstr(err.text, "hush"));
	config.url = "postgresql://u:hush@[/d";
	assert_int_equal(ops->open(&config, &s, &err), -EINVAL);
	assert_null(strstr(err.text, "hush"));
}

static void check_readable_row(const char *name)
{
	check_sql(name, "SELECT prefix || ' ' || path || ' ' || router || ' ' || country || ' ' || match"
		" FROM whereto.v_flow_hour WHERE prefix >>= '192.0.2.77'", "192.0.2.0/24 64500 174 64501 r1 DE own");
}

/* What a person asks by hand: which rows cover an address. */
static void test_rows_that_cover_an_address(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	assert_int_equal(write_one(s, "c", 1, &err), STORE_OK);
	check_readable_row(name);
	check_sql(name, "SELECT sum(bytes_sent) FROM whereto.v_flow_day WHERE prefix >>= '2001:db8::1'", "5");
	check_sql(name, "SELECT count(*) FROM whereto.v_flow_day WHERE prefix >>= '192.0.3.0'", "0");
	check_sql(name, "SELECT count(*) FROM whereto.v_flow_day WHERE prefix <<= '192.0.0.0/16'", "1");
	check_sql(name, "SELECT count(*) FROM whereto.paths WHERE members @> '{174}'", "1");
	ops->close(s);
}

/* The ids that a batch brought are gone when it fails. */
static void test_ids_of_a_batch_that_failed(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	assert_true(pg_sql(name, "ALTER TABLE whereto.flow_new ADD CONSTRAINT shut CHECK (ts < 0)", NULL, 0));
	assert_int_equal(write_one(s, "c", 1, &err), STORE_RETRY);
	check_sql(name, "SELECT count(*) FROM whereto.prefixes", "0");
	assert_true(pg_sql(name, "ALTER TABLE whereto.flow_new DROP CONSTRAINT shut", NULL, 0));
	assert_int_equal(write_one(s, "c", 1, &err), STORE_OK);
	check_readable_row(name);
	ops->close(s);
}

/* A backup is brought back while the collector is connected: its ids are others. */
static void test_other_dictionaries(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	assert_int_equal(write_one(s, "c", 1, &err), STORE_OK);
	assert_true(pg_sql(name, "TRUNCATE whereto.names, whereto.prefixes, whereto.paths, whereto.flow_new RESTART IDENTITY", NULL, 0));
	assert_true(pg_sql(name, "INSERT INTO whereto.names(name) VALUES('other')", NULL, 0));
	assert_true(pg_sql(name, "INSERT INTO whereto.prefixes(prefix) VALUES('192.0.2.0/30')", NULL, 0));
	assert_int_equal(write_one(s, "c", 2, &err), STORE_OK);
	check_readable_row(name);
	ops->close(s);
}

/* Collectors that add to the same rows and bring the same dictionary entries, all at once. */
#define COLLECTORS 4
#define BATCHES    25

struct collector {
	const char *database;
	char name[16];
	bool good;
};

static void *collect(void *ctx)
{
	struct collector *c = ctx;
	struct error err = {0};
	struct store *s;
	uint64_t id = 1;
	if (open_as("wt", c->database, &s, &err) < 0)
		return NULL;
	while (id <= BATCHES) {
		enum store_result r = write_one(s, c->name, id, &err);
		if (r != STORE_OK && r != STORE_RETRY)
			break;
		id += r == STORE_OK;
	}
	c->good = id > BATCHES;
	ops->close(s);
	return NULL;
}

static void test_several_collectors(void **state)
{
	char name[32], expected[32];
	struct collector c[COLLECTORS] = {0};
	pthread_t threads[COLLECTORS];
	pg_fresh(name);
	for (int i = 0; i < COLLECTORS; i++) {
		c[i].database = name;
		(void)snprintf(c[i].name, sizeof(c[i].name), "c%d", i);
		assert_int_equal(pthread_create(&threads[i], NULL, collect, &c[i]), 0);
	}
	for (int i = 0; i < COLLECTORS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < COLLECTORS; i++)
		assert_true(c[i].good);
	(void)snprintf(expected, sizeof(expected), "%d", COLLECTORS * BATCHES * 10);
	check_sql(name, "SELECT sum(bytes_sent) FROM whereto.total_minute", expected);
	check_sql(name, "SELECT sum(bytes_sent) FROM whereto.flow_day", expected);
	check_sql(name, "SELECT count(*) FROM whereto.prefixes", "2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_are_cut),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_ip4r_is_missing),
		cmocka_unit_test(test_a_schema_made_by_others),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_no_connection_left),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_other_schemas_are_left_alone),
		cmocka_unit_test(test_settings_of_others),
		cmocka_unit_test(test_a_password_is_not_told),
		cmocka_unit_test(test_rows_that_cover_an_address),
		cmocka_unit_test(test_ids_of_a_batch_that_failed),
		cmocka_unit_test(test_other_dictionaries),
		cmocka_unit_test(test_several_collectors),
	};
	return pg_run_tests(tests, ARRAY_LEN(tests));
}
