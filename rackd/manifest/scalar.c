/* Decides whether a scalar is null, bool, int, float or text, by the rules of
 * yaml.v2 (YAML 1.1 with its exceptions). parse.c calls node_resolve() for
 * every scalar. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/node.h"

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool is_null_word(const char *text)
{
    static const char *const words[] = {
        "", "~", "null", "Null", "NULL", NULL
    };

    return is_one_of(text, words);
}

static bool to_bool(const char *text, bool *out)
{
    static const char *const yes[] = {
        "y",  "Y",  "yes",  "Yes",  "YES",  "on",
        "On", "ON", "true", "True", "TRUE", NULL
    };
    static const char *const no[] = { "n",     "N",     "no",    "No",
                                      "NO",    "off",   "Off",   "OFF",
                                      "false", "False", "FALSE", NULL };

    *out = is_one_of(text, yes);
    return *out || is_one_of(text, no);
}

/* Reads digits of `base` only, at least one. What overflows a long long is not
 * an int (it becomes a float or text). */
static bool to_digits(const char *text, int base, bool minus, long long *out)
{
    char *end;

    if (!isalnum((unsigned char)*text))
        return false;
    errno = 0;
    *out = strtoll(text, &end, base);
    if (*end != '\0' || errno != 0)
        return false;
    *out = minus ? -*out : *out;
    return true;
}

static bool to_whole(const char *text, long long *out)
{
    bool minus = *text == '-';
    const char *digits = text + (*text == '-' || *text == '+');

    if (digits[0] == '0') {
        if (digits[1] == 'x' || digits[1] == 'X')
            return to_digits(digits + 2, 16, minus, out);
        if (digits[1] == 'b' || digits[1] == 'B')
            return to_digits(digits + 2, 2, minus, out);
        if (digits[1] == 'o' || digits[1] == 'O')
            return to_digits(digits + 2, 8, minus, out);
        if (digits[1] != '\0')
            return to_digits(digits + 1, 8, minus, out);
    }
    return to_digits(digits, 10, minus, out);
}

/* Reads [-+]?DIGITS?[.]?DIGITS([eE][-+]?DIGITS)? and the YAML names of infinity
 * and NaN; strtod() alone would also take "inf" and hexadecimal. */
static bool to_real(const char *text, double *out)
{
    static const char *const names[] = { ".inf",  ".Inf",  ".INF",  "+.inf",
                                         "+.Inf", "+.INF", "-.inf", "-.Inf",
                                         "-.INF", ".nan",  ".NaN",  ".NAN",
                                         NULL };
    char *end;

    if (is_one_of(text, names)) {
        *out = strpbrk(text, "aA") != NULL ? NAN
               : *text == '-'              ? -INFINITY
                                           : INFINITY;
        return true;
    }
    if (text[strspn(text, "0123456789+-.eE")] != '\0' ||
        strpbrk(text, "0123456789") == NULL)
        return false;
    *out = strtod(text, &end);
    return *end == '\0';
}

/* Underscores are skipped: 1_000 is 1000. What has more digits than the buffer
 * is not a number but text. */
static bool to_number(struct node *scalar)
{
    char digits[64];
    size_t len = 0;

    for (const char *s = scalar->text; *s != '\0'; s++) {
        if (*s == '_')
            continue;
        if (len == sizeof(digits) - 1)
            return false;
        digits[len++] = *s;
    }
    digits[len] = '\0';
    if (len == 0 || scalar->text[0] == '_')
        return false;
    if (to_whole(digits, &scalar->whole)) {
        scalar->type = NODE_INT;
        return true;
    }
    if (to_real(digits, &scalar->real)) {
        scalar->type = NODE_FLOAT;
        return true;
    }
    return false;
}

static bool is_text_tag(const char *tag)
{
    static const char *const types[] = { "tag:yaml.org,2002:null",
                                         "tag:yaml.org,2002:bool",
                                         "tag:yaml.org,2002:int",
                                         "tag:yaml.org,2002:float", NULL };

    return tag != NULL && !is_one_of(tag, types);
}

void node_resolve(struct node *scalar, const char *tag, bool plain)
{
    scalar->type = NODE_TEXT;
    if (is_text_tag(tag) || (tag == NULL && !plain))
        return;
    if (is_null_word(scalar->text)) {
        scalar->type = NODE_NULL;
        return;
    }
    if (to_bool(scalar->text, &scalar->boolean)) {
        scalar->type = NODE_BOOL;
        return;
    }
    to_number(scalar);
}
