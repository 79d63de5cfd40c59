/* pull -- what the texts of registries mean. Private to engine/. */
#ifndef ENGINE_PULL_H
#define ENGINE_PULL_H

#include "base/err.h"

/* ERR_UNAVAILABLE: no registry answered; ERR_NOT_FOUND: it has no such image,
 * or not for us; ERR_NONE: something else. */
enum err_code pull_code(const char *text);

#endif /* ENGINE_PULL_H */
