/*
 * command -- turns a command of the manifest into the words that replace the
 * image's CMD; its ENTRYPOINT is never replaced.
 *
 * A list is taken as it is. A string is split into words, as a shell would
 * (quotes, backslashes), unless only a shell can run it: then the words are
 * {"sh", "-c", string}. So `npm start` works in an image without a shell, and
 * `cd app && npm start` works too.
 *
 * These need a shell: outside of quotes | & ; < > ( ) $ ` * ? [ and a newline;
 * ~ and # at the start of a word; $ and ` in double quotes; NAME=value before
 * the first word; a first word that is a reserved word or a builtin without a
 * program of that name (cd, export, exec, source, ...); and an unclosed quote,
 * so that the shell reports it.
 */
#ifndef PLAN_COMMAND_H
#define PLAN_COMMAND_H

#include "base/strv.h"

struct manifest_command;

/* Appends the words to `argv`; nothing when the command is not set or blank. */
void command_argv(const struct manifest_command *command, struct strv *argv);

/* The same for a string. */
void command_split(const char *text, struct strv *argv);

#endif /* PLAN_COMMAND_H */
