/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Key files: 32 random bytes, base64, one line, mode 0600. */

#include "base/error.h"

#define KEY_BYTES 32

struct key {
	uint32_t id;
	uint8_t bytes[KEY_BYTES];
};

/* Errors name the file and what is wrong with it. */
int key_load(const char *file, uint32_t id, struct key *ret, struct error *err) MUST_USE;
/* Makes a new key file, mode 0600; -EEXIST when the file is there already. */
int key_generate(const char *file, struct error *err) MUST_USE;
