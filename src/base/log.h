/* log.h -- one line per fact on stderr, for the journal and for people.
 *
 * Only the edge logs (daemon, lmserver, engine events); library code returns errors. Thread
 * safe. A line is: time level id text key=value..., or with systemd's level prefix where
 * stderr is the journal (JOURNAL_STREAM is set). Control characters become spaces, long texts
 * lose their end: nobody forges a second line. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_NR };

/* Lines above `level` are dropped. LOG_INFO until the first call. */
void log_set_level(enum log_level level);

/* LOG_LEVEL_NR where `name` is not error, warn, info or debug. */
enum log_level log_level_parse(const char *name);

/* `id` is a short stable name of the message ("job-state"), for grep and for tests. */
void log_put(enum log_level level, const char *id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...) log_put(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_put(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_put(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_put(LOG_DEBUG, __VA_ARGS__)

#endif
