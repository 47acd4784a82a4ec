/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Parts of sentences for people, in English. */

#include "http/http.h"
#include "store/store.h"

/* "64500 Example Net", "Germany", "edge1". */
void say_value(const struct http_backend *backend, enum dimension dim, const struct dim_value *v, FILE *out);
/* An AS by its number. */
void say_as(const struct http_backend *backend, uint32_t as, FILE *out);
/* Two digits that mean something: "4.1 %", "0.32 %". */
void say_percent(double share, FILE *out);
/* "85 ms", "1.2 ms". */
void say_us(double us, FILE *out);
/* "14:05 UTC"; with the day when it is not the one in which the range ends. */
void say_time(uint64_t s, uint64_t to_s, FILE *out);
