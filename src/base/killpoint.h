/* killpoint.h -- named moments at which the crash tests end the process.
 *
 * Compiled in only with BBT_KILLPOINTS (meson option `killpoints`, and the test program
 * bbtd-kill); elsewhere the macro is nothing. BBT_KILLPOINT=name:n in the environment kills
 * the process, as the kernel would, at the n-th pass of the point. tests/crash/points.py
 * finds the names in the source and fails for one that it cannot reach.
 *
 * A name is used at one place only, and says what has just happened or is about to. */
#ifndef BASE_KILLPOINT_H
#define BASE_KILLPOINT_H

#ifdef BBT_KILLPOINTS
#define BBT_KILLPOINT(name) killpoint_pass(name)
#else
#define BBT_KILLPOINT(name) ((void)0)
#endif

/* From any thread. Does not return from the pass that was asked for. */
void killpoint_pass(const char *name);

#endif
