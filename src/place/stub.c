#include "place/country.h"
#include <ctype.h>
country_code country_parse(const char *text){ if(!isalpha((unsigned char)text[0])||!isalpha((unsigned char)text[1])||text[2]) return 0; return (country_code)(toupper((unsigned char)text[0])<<8|toupper((unsigned char)text[1])); }
const char *country_format(country_code c, char buf[static 3]){ buf[0]=(char)(c>>8);buf[1]=(char)(c&255);buf[2]=0; return buf; }
