/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a running probe takes of a changed configuration: types, type_rules, ignore and interval. Everything else is made with rights
 * that it has given away, or is bound to what it owes its collectors; that takes a restart, which loses nothing. */

#include "collector/config.h"

/* Reads the file anew. -EINVAL: something else was changed, which err names; or what config_load returns. */
int reload_config(const char *file, const struct config_probe *running, struct config **ret, struct error *err) MUST_USE;
