/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Sealing: AES-256-GCM (NIST SP 800-38D) under a key derived by HKDF-SHA-256 (RFC 5869) for one
 * session and one direction. The nonce is four zero bytes and the sequence number: within a session a
 * number is sealed once, so a nonce never repeats under a key. One thread per seal. */

#include "base/cursor.h"
#include "wire/key.h"

#define SEAL_TAG_BYTES 16

struct seal;

/* key, salt and info are RFC 5869's IKM, salt and info. -EIO when libcrypto fails, -ENOMEM. */
int seal_new(const struct key *key, struct view salt, const char *info, struct seal **ret) MUST_USE;
void seal_free(struct seal *s);

/* Encrypts len bytes in place and writes the tag behind them. clear is authenticated. -EIO. */
int seal_close(struct seal *s, uint64_t seq, struct view clear, uint8_t *data, size_t len) MUST_USE;
/* Verifies sealed (ciphertext and tag) and decrypts it to out, which has room for sealed.len bytes.
 * Returns the number of plain bytes, or -EBADMSG when the tag does not verify. */
int seal_open(struct seal *s, uint64_t seq, struct view clear, struct view sealed, uint8_t *out) MUST_USE;
