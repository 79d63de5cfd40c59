/*
 * banned -- functions that do not compile here: each has a safe twin in
 * base/. The Makefile includes this file before every source of ours.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* The real headers first: they declare what is poisoned below. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat strtok gets
#pragma GCC poison atoi atol gmtime localtime ctime asctime

#endif /* BASE_BANNED_H */
