/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/record.h"

const char *record_field_name(enum record_field field)
{
	static const char *const names[] = {
#define FIELD(bit, name, unit, help) [bit] = #name,
#include "wire/fields.def"
#undef FIELD
	};
	return names[field];
}
