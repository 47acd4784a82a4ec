/* SPDX-License-Identifier: BSD-2-Clause */

/* whereto mrt: prints an MRT file.
 *
 * Records are walked in file order; each prefix becomes one row and a format (mrt_bgpdump.c,
 * mrt_json.c) turns rows into text. A BGP message inside the file that cannot be decoded is passed over
 * and counted, since it shows what some router sent; a table that cannot be decoded means that the file
 * is damaged and ends the command, with the rows before it printed. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bgp/mrt_file.h"
#include "bgp/update.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/mrt_row.h"

struct dump {
	struct mrt_file *file;
	const struct mrt_format *format;
	struct text out;
	struct mrt_peer *peers;
	unsigned peer_count;
	bool has_peers;
	uint64_t undecoded; /* messages */
	uint8_t path[BGP_PATH_MAX];
};

static int take_peers(struct dump *d, const struct mrt_record *record, struct error *err)
{
	struct mrt_peers peers;
	struct mrt_peer peer;
	int r = mrt_peers_begin(record, &peers);
	if (r < 0)
		return mrt_file_error(d->file, err, -EBADMSG, "a peer index table that ends early");
	struct mrt_peer *list = realloc(d->peers, (peers.count + 1u) * sizeof(*list));
	if (!list)
		return mrt_file_error(d->file, err, -ENOMEM, "out of memory");
	d->peers = list;
	d->peer_count = 0;
	while ((r = mrt_peers_next(&peers, &peer)) > 0)
		list[d->peer_count++] = peer;
	d->has_peers = true;
	return r < 0 ? mrt_file_error(d->file, err, -EBADMSG, "a peer index table that ends at peer %u of %u", d->peer_count,
			       peers.count)
		     : 0;
}

/* Decodes the attributes and prints the row; attrs points to the caller's. */
static void print_route(struct dump *d, struct mrt_row *row, struct bgp_attrs *attrs, unsigned as_bytes)
{
	struct bgp_attr_rules rules = mrt_dump_rules(as_bytes);
	(void)bgp_attrs_decode(row->block, &rules, attrs);
	row->attrs = attrs;
	row->path_broken = !bgp_path_merge(attrs, d->path, sizeof(d->path), &row->path);
	if (row->path_broken)
		row->path = attrs->path;
	d->format->row(&d->out, row);
}

static int print_rib(struct dump *d, const struct mrt_record *record, struct error *err)
{
	struct mrt_rib rib;
	struct mrt_entry entry;
	struct bgp_attrs attrs;
	int r = mrt_rib_begin(record, &rib);
	if (r == -EAFNOSUPPORT)
		return 0;
	if (r < 0)
		return mrt_file_error(d->file, err, -EBADMSG, "a table record without a valid prefix");
	if (rib.count && !d->has_peers)
		return mrt_file_error(d->file, err, -EBADMSG, "a table record before any peer index table");
	while ((r = mrt_rib_next(&rib, &entry)) > 0) {
		if (entry.peer >= d->peer_count)
			return mrt_file_error(d->file, err, -EBADMSG, "a route of peer %u where the file has %u", entry.peer,
				d->peer_count);
		struct mrt_row row = {
			.source = ROW_RIB,
			.record = record,
			.written = rib.written,
			.len = rib.prefix.len,
			.safi = rib.safi,
			.generic = rib.generic,
			.add_path = rib.add_path,
			.path_id = entry.path_id,
			.peer = d->peers[entry.peer].addr,
			.peer_as = d->peers[entry.peer].as,
			.has_originated = true,
			.originated = entry.originated,
			.block = entry.attrs,
		};
		print_route(d, &row, &attrs, 4);
	}
	if (r < 0)
		return mrt_file_error(d->file, err, -EBADMSG, "a table record that ends inside entry %u of %u",
			(unsigned)rib.count - rib.left, rib.count);
	return 0;
}

static int print_table(struct dump *d, const struct mrt_record *record, struct error *err)
{
	struct mrt_table table;
	struct bgp_attrs attrs;
	if (mrt_table_decode(record, &table) < 0)
		return mrt_file_error(d->file, err, -EBADMSG, "a table record that ends early or has no valid prefix");
	struct mrt_row row = {
		.source = ROW_TABLE,
		.record = record,
		.written = table.written,
		.len = table.prefix.len,
		.safi = BGP_SAFI_UNICAST,
		.peer = table.peer,
		.peer_as = table.peer_as,
		.has_originated = true,
		.originated = table.originated,
		.block = table.attrs,
	};
	print_route(d, &row, &attrs, table.as_bytes);
	return 0;
}

/* Prints a row for each prefix of a list. False when the list is malformed. Writers exist that don't say
 * that a session has ADD-PATH; a whole list that can only be read so is. */
static bool print_list(struct dump *d, struct mrt_row *row, struct view list, uint16_t afi, uint8_t safi)
{
	bool said = row->session_add_path;
	row->add_path = said;
	(void)bgp_nlri_choose(list, afi, !said && !row->cut, &row->add_path);
	row->safi = safi;
	struct rd r = rd_view(list);
	struct bgp_nlri nlri;
	while (bgp_nlri_next(&r, afi, row->add_path, &nlri)) {
		row->written = nlri.written;
		row->len = nlri.prefix.len;
		row->path_id = nlri.path_id;
		d->format->row(&d->out, row);
	}
	return rd_ok(&r);
}

/* SAFI 1 to 3 are unicast, multicast, and the old "both"; the others' prefixes have another form. */
static bool has_prefixes(uint16_t afi, uint8_t safi)
{
	return (afi == BGP_AFI_IPV4 || afi == BGP_AFI_IPV6) && safi >= 1 && safi <= 3;
}

static bool print_update(struct dump *d, struct mrt_row *row, struct view body)
{
	struct bgp_update update;
	struct bgp_attrs attrs;
	if (!bgp_update_split(body, &update))
		return false;
	struct bgp_attr_rules rules = mrt_dump_rules(row->session->as_bytes);
	(void)bgp_attrs_decode(update.attrs, &rules, &attrs);
	row->block = update.attrs;
	row->path_broken = !bgp_path_merge(&attrs, d->path, sizeof(d->path), &row->path);
	if (row->path_broken)
		row->path = attrs.path;

	row->withdrawn = true;
	row->source = ROW_NLRI;
	bool ok = print_list(d, row, update.withdrawn, BGP_AFI_IPV4, BGP_SAFI_UNICAST);
	row->source = ROW_MP;
	if (has_prefixes(attrs.mp_withdrawn_afi, attrs.mp_withdrawn_safi))
		ok &= print_list(d, row, attrs.mp_withdrawn, attrs.mp_withdrawn_afi, attrs.mp_withdrawn_safi);
	row->withdrawn = false;
	row->attrs = &attrs;
	row->source = ROW_NLRI;
	ok &= print_list(d, row, update.nlri, BGP_AFI_IPV4, BGP_SAFI_UNICAST);
	row->source = ROW_MP;
	if (has_prefixes(attrs.mp_afi, attrs.mp_safi))
		ok &= print_list(d, row, attrs.mp_nlri, attrs.mp_afi, attrs.mp_safi);
	return ok;
}

static void print_message(struct dump *d, const struct mrt_record *record)
{
	struct mrt_message message;
	if (mrt_message_decode(record, &message) < 0) {
		d->undecoded++;
		return;
	}
	if (message.type != BGP_MESSAGE_UPDATE)
		return;
	struct mrt_row row = {
		.record = record,
		.session_add_path = message.session.add_path,
		.cut = message.cut,
		.peer = message.session.peer,
		.peer_as = message.session.peer_as,
		.session = &message.session,
	};
	if (!print_update(d, &row, message.body) || message.cut)
		d->undecoded++;
}

static int print_record(struct dump *d, const struct mrt_record *record, struct error *err)
{
	struct mrt_state state;
	switch (mrt_kind(record)) {
	case MRT_PEERS:
		return take_peers(d, record, err);
	case MRT_RIB:
		return print_rib(d, record, err);
	case MRT_TABLE:
		return print_table(d, record, err);
	case MRT_MESSAGE:
		print_message(d, record);
		return 0;
	case MRT_STATE:
		if (mrt_state_decode(record, &state) < 0)
			d->undecoded++;
		else
			d->format->state(&d->out, record, &state);
		return 0;
	case MRT_OTHER:
		return 0;
	}
	return 0;
}

static int print_file(struct dump *d, const char *path, struct error *err)
{
	struct mrt_record record;
	int r = mrt_file_open(path, &d->file, err);
	while (r >= 0 && !d->out.error && (r = mrt_file_next(d->file, &record, err)) > 0)
		r = print_record(d, &record, err);
	int written = text_flush(&d->out);
	if (written < 0 && r >= 0)
		r = error_set(err, written, "standard output: %s", strerror(-written));
	mrt_file_close(d->file);
	return r;
}

int command_mrt(int argc, char **argv)
{
	struct options o;
	int r = options_parse(argc, argv, OPTIONS_mrt, "FILE", &o);
	if (r != OPTIONS_GO_ON)
		return r;
	struct error err = {0};
	CLEANUP(free_p) struct dump *d = calloc(1, sizeof(*d));
	if (!d || text_init(&d->out, STDOUT_FILENO) < 0) {
		fputs("whereto mrt: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	const char *format = o.values[OPTION_format];
	d->format = format && strcmp(format, "json") == 0 ? &mrt_format_json : &mrt_format_bgpdump;
	r = print_file(d, o.arguments[0], &err);
	if (r < 0)
		fprintf(stderr, "whereto mrt: %s\n", err.text);
	if (d->undecoded)
		fprintf(stderr, "whereto mrt: BGP messages cut short or not decodable: %llu\n",
			(unsigned long long)d->undecoded);
	text_done(&d->out);
	free(d->peers);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
