/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/web.h"

const struct web_file web_files[1];
const size_t web_file_count = 0;
const char web_missing[] = "This collector was built without the dashboard: there was no npm, or it was switched off "
	"(meson configure -Ddashboard=enabled).";
