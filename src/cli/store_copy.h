/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* whereto store copy, of these URLs; returns the exit status. */
int store_copy_command(const char *from, const char *to);
