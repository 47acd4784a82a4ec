/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* whereto store copy. argv[0] is "copy"; returns the exit status. */
int store_copy_command(int argc, char **argv);
