/*
 * command -- what a command of the manifest becomes: the words given to the
 * image's ENTRYPOINT in place of its CMD.
 *
 * A list is taken as it is. A string is split into words, as a shell would
 * (quotes, backslashes), unless only a shell can make sense of it: then it is
 * {"sh", "-c", string}. So `npm start` works in an image without a shell, and
 * `cd app && npm start` works too.
 *
 * Shell syntax is, outside of quotes: | & ; < > ( ) $ ` * ? [ and a newline;
 * ~ and # at the start of a word; in double quotes $ and `; NAME=value before
 * the first word; a first word that is a reserved word or a builtin without a
 * program of that name (cd, export, exec, source, ...); and an unclosed
 * quote, which is left to the shell to complain about.
 */
#ifndef PLAN_COMMAND_H
#define PLAN_COMMAND_H

#include "base/strv.h"

struct manifest_command;

/* Appends to `argv`; nothing when the command is not set or blank. */
void command_argv(const struct manifest_command *command, struct strv *argv);

/* The same for a string. */
void command_split(const char *text, struct strv *argv);

#endif /* PLAN_COMMAND_H */
