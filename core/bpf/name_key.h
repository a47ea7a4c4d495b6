/* How a name stands in the map of refused ones; shared by the program and its loader. */
#pragma once

/* With the NUL; the rest is zeros. A name in the list is at most two bytes shorter,
 * so that one that was cut off to fit never equals one of them. */
#define PWALK_NAME_KEY_BYTES 64
#define PWALK_MOST_REFUSED_NAMES 1024

struct pwalk_name_key {
  char bytes[PWALK_NAME_KEY_BYTES];
};
