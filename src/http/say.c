/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/say.h"

#include "base/clock.h"
#include "http/render.h"

#define DAY_S 86400

void say_value(const struct http_backend *backend, enum dimension dim, const struct dim_value *v, FILE *out)
{
	CLEANUP(free_p) char *name = render_name(backend, dim, v);
	CLEANUP(free_p) char *value = render_text(dim, v);
	if (dim != DIM_country || !name)
		(void)fprintf(out, "%s%s", value ? value : "?", name ? " " : "");
	(void)fputs(name ? name : "", out);
}

void say_as(const struct http_backend *backend, uint32_t as, FILE *out)
{
	say_value(backend, DIM_via, &(struct dim_value){.known = true, .number = as}, out);
}

void say_percent(double share, FILE *out)
{
	double v = share * 100;
	(void)fprintf(out, "%.*f %%", v >= 10 || v <= 0 ? 0 : v >= 1 ? 1 : v >= 0.1 ? 2 : 3, v);
}

void say_us(double us, FILE *out)
{
	(void)fprintf(out, "%.*f ms", us >= 10000 ? 0 : us >= 1000 ? 1 : 2, us / 1000);
}

void say_time(uint64_t s, uint64_t to_s, FILE *out)
{
	char text[TIME_TEXT_MAX];
	(void)time_format(s * 1000, text);
	if (s / DAY_S != (to_s - 1) / DAY_S)
		(void)fprintf(out, "%.10s ", text);
	(void)fprintf(out, "%.5s UTC", text + 11);
}
