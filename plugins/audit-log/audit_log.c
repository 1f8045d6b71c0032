/* An audit log: who came and went, who was refused, what was subscribed to and published, as one JSON object per line.
 *
 * A handler formats its line and appends it to a buffer in memory; a thread of its own writes the buffer to the file. So a slow disk
 * costs no client anything: while it is slow, lines wait, and when the buffer is full, further ones are counted, and the number is told by
 * a line of its own. README.md has the config and the lines.
 *
 *     cc -O2 -shared -fPIC -fvisibility=hidden -pthread -o audit_log.so audit_log.c */
#define _POSIX_C_SOURCE 200809L
#include "hookmq.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The file, and the thread that writes it. ---- */

typedef struct audit {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t writer;
    /* Lines that wait, and the other buffer, which is empty or being written. */
    char *waiting;
    char *spare;
    size_t used;
    size_t capacity;
    /* Lines that found no room since the last one that says so. */
    uint64_t lost;
    bool is_ending;
    /* The writer's own. */
    int file;
    bool is_failing;
    bool is_synced;
    int64_t flush_ms;
    char path[4096];
} audit;

/* Opens the file; -1 with errno. What a crash left of a line gets its end. */
static int open_file(const char *path)
{
    char last;
    off_t end;
    int file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (file < 0)
        return -1;
    end = lseek(file, 0, SEEK_END);
    if (end > 0 && pread(file, &last, 1, end - 1) == 1 && last != '\n' && write(file, "\n", 1) != 1) {
        int why = errno;
        close(file);
        errno = why;
        return -1;
    }
    return file;
}

/* Whether the file was moved or removed by whoever rotates logs. */
static bool was_rotated(const audit *log)
{
    struct stat there, here;
    if (log->file < 0 || fstat(log->file, &here) != 0)
        return true;
    return stat(log->path, &there) != 0 || there.st_ino != here.st_ino || there.st_dev != here.st_dev;
}

/* Writes whole lines, all or none. */
static bool write_lines(audit *log, const char *data, size_t len)
{
    size_t done = 0;
    off_t start;
    if (was_rotated(log)) {
        if (log->file >= 0)
            close(log->file);
        log->file = open_file(log->path);
        if (log->file < 0)
            return false;
    }
    start = lseek(log->file, 0, SEEK_END);
    while (done < len) {
        ssize_t written = write(log->file, data + done, len - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            int why = written < 0 ? errno : ENOSPC;
            /* They are written again as a whole when there is room. */
            if (done > 0 && start >= 0 && ftruncate(log->file, start) != 0)
                why = errno;
            errno = why;
            return false;
        }
        done += (size_t)written;
    }
    return !log->is_synced || fdatasync(log->file) == 0;
}

/* Tells the broker's log when writing begins to fail and when it works again. */
static void tell(audit *log, bool is_written)
{
    char words[4200];
    if (is_written == !log->is_failing)
        return;
    log->is_failing = !is_written;
    snprintf(words, sizeof words, is_written ? "%s is written again%s" : "%s cannot be written, its lines wait: %s", log->path,
        is_written ? "" : strerror(errno));
    hookmq_log(is_written ? HOOKMQ_LOG_INFO : HOOKMQ_LOG_ERROR, words);
}

/* Waits at most so long, or until somebody wants something. The lock is held. */
static void wait_some(audit *log, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&log->wake, &log->lock, &until);
}

static size_t lost_line(char *line, size_t capacity, uint64_t lost);

/* The writer's life. It sleeps while there is nothing, gathers lines for flush_ms, and writes them while others gather. */
static void *write_on(void *context)
{
    audit *log = (audit *)context;
    char told[128];
    pthread_mutex_lock(&log->lock);
    for (;;) {
        char *data;
        size_t len;
        uint64_t lost;
        while (log->used == 0 && log->lost == 0 && !log->is_ending)
            pthread_cond_wait(&log->wake, &log->lock);
        if (log->used == 0 && log->lost == 0)
            break;
        if (log->used < log->capacity / 2 && !log->is_ending)
            wait_some(log, log->flush_ms);
        data = log->waiting;
        len = log->used;
        lost = log->lost;
        log->waiting = log->spare;
        log->spare = data;
        log->used = 0;
        log->lost = 0;
        for (;;) {
            bool is_written, is_last = log->is_ending;
            pthread_mutex_unlock(&log->lock);
            is_written = write_lines(log, data, len);
            if (is_written && lost > 0) {
                len = lost_line(told, sizeof told, lost);
                is_written = write_lines(log, told, len);
                if (!is_written) {
                    /* What came before is in the file. */
                    len = 0;
                }
            }
            tell(log, is_written);
            pthread_mutex_lock(&log->lock);
            if (is_written || is_last)
                break;
            if (!log->is_ending)
                wait_some(log, log->flush_ms);
        }
    }
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

/* Appends a line; the only thing that a handler waits for is a copy of it. */
static void append(audit *log, const char *line, size_t len)
{
    bool shall_wake;
    pthread_mutex_lock(&log->lock);
    shall_wake = log->used == 0 && log->lost == 0;
    if (len > log->capacity - log->used)
        log->lost++;
    else {
        size_t before = log->used;
        memcpy(log->waiting + log->used, line, len);
        log->used += len;
        shall_wake |= before < log->capacity / 2 && log->used >= log->capacity / 2;
    }
    pthread_mutex_unlock(&log->lock);
    if (shall_wake)
        pthread_cond_signal(&log->wake);
}

/* ---- One line of JSON. ---- */

/* Most lines fit where they are made; a long topic makes them longer. */
typedef struct line {
    char short_one[2048];
    char *data;
    size_t len;
    size_t capacity;
    bool is_whole;
} line;

static bool make_room(line *to, size_t more)
{
    char *longer;
    size_t capacity;
    if (to->capacity - to->len >= more)
        return true;
    capacity = to->capacity * 2 + more;
    longer = (char *)realloc(to->data == to->short_one ? NULL : to->data, capacity);
    if (!longer) {
        to->is_whole = false;
        return false;
    }
    if (to->data == to->short_one)
        memcpy(longer, to->short_one, to->len);
    to->data = longer;
    to->capacity = capacity;
    return true;
}

static void put(line *to, const char *text, size_t len)
{
    if (make_room(to, len)) {
        memcpy(to->data + to->len, text, len);
        to->len += len;
    }
}

static void put_key(line *to, const char *key)
{
    put(to, ",\"", 2);
    put(to, key, strlen(key));
    put(to, "\":", 2);
}

/* Bytes of the UTF-8 character that starts here; 0 if it is none. */
static size_t character(const unsigned char *at, size_t left)
{
    size_t len = at[0] < 0x80 ? 1 : at[0] >= 0xc2 && at[0] < 0xe0 ? 2 : at[0] >= 0xe0 && at[0] < 0xf0 ? 3 : at[0] >= 0xf0 && at[0] < 0xf5 ? 4 : 0;
    size_t next;
    if (len == 0 || len > left)
        return 0;
    for (next = 1; next < len; next++)
        if ((at[next] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and beyond the last code point. */
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return len;
}

/* A text between quotes. A newline in it cannot begin another line of the log, and bytes that are no text become U+FFFD. */
static void put_quoted(line *to, hookmq_bytes text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t from = 0, at = 0;
    put(to, "\"", 1);
    while (at < text.len) {
        char escape[8];
        int escaped;
        size_t len = 1;
        if (bytes[at] >= 0x80)
            len = character(bytes + at, text.len - at);
        if (len > 1 || (len == 1 && bytes[at] >= 0x20 && bytes[at] != 0x7f && bytes[at] != '"' && bytes[at] != '\\')) {
            at += len;
            continue;
        }
        put(to, text.data + from, at - from);
        if (len == 0)
            escaped = snprintf(escape, sizeof escape, "\\ufffd");
        else if (bytes[at] == '"' || bytes[at] == '\\')
            escaped = snprintf(escape, sizeof escape, "\\%c", bytes[at]);
        else
            escaped = snprintf(escape, sizeof escape, "\\u%04x", bytes[at]);
        put(to, escape, (size_t)escaped);
        from = ++at;
    }
    if (at > from)
        put(to, text.data + from, at - from);
    put(to, "\"", 1);
}

/* A member with a text; none if it is absent. */
static void put_text(line *to, const char *key, hookmq_bytes text)
{
    if (!text.data)
        return;
    put_key(to, key);
    put_quoted(to, text);
}

static void put_number(line *to, const char *key, int64_t number)
{
    char digits[24];
    size_t at = sizeof digits;
    if (number < 0)
        return;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    put_key(to, key);
    put(to, digits + at, sizeof digits - at);
}

static void put_bool(line *to, const char *key, bool truth)
{
    put_key(to, key);
    put(to, truth ? "true" : "false", truth ? 4 : 5);
}

static void two_digits(char *to, int64_t number)
{
    to[0] = (char)('0' + number / 10 % 10);
    to[1] = (char)('0' + number % 10);
}

/* Milliseconds since 1970 as 2026-11-23T08:30:00.123Z; the calendar by Howard Hinnant's rule, as it is asked for with every message. */
static void put_time(line *to, int64_t ms)
{
    char text[] = "\"0000-00-00T00:00:00.000Z\"";
    int64_t seconds = ms / 1000, day_seconds = seconds % 86400;
    int64_t days = seconds / 86400 + 719468;
    int64_t era = days / 146097, day_of_era = days % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    two_digits(text + 1, year / 100);
    two_digits(text + 3, year % 100);
    two_digits(text + 6, month);
    two_digits(text + 9, day_of_year - (153 * shifted + 2) / 5 + 1);
    two_digits(text + 12, day_seconds / 3600);
    two_digits(text + 15, day_seconds / 60 % 60);
    two_digits(text + 18, day_seconds % 60);
    text[21] = (char)('0' + ms / 100 % 10);
    two_digits(text + 22, ms % 100);
    put(to, text, sizeof text - 1);
}

static void begin(line *to, int64_t ms, const char *what)
{
    to->data = to->short_one;
    to->len = 0;
    to->capacity = sizeof to->short_one;
    to->is_whole = true;
    put(to, "{\"time\":", 8);
    put_time(to, ms < 0 ? 0 : ms);
    put_key(to, "event");
    put_quoted(to, hookmq_str(what));
}

/* Ends the line and hands it to the writer. */
static int32_t finish(line *to, void *instance)
{
    audit *log = (audit *)instance;
    put(to, "}\n", 2);
    if (to->is_whole)
        append(log, to->data, to->len);
    else {
        pthread_mutex_lock(&log->lock);
        log->lost++;
        pthread_mutex_unlock(&log->lock);
    }
    if (to->data != to->short_one)
        free(to->data);
    return HOOKMQ_PASS;
}

static size_t lost_line(char *told, size_t capacity, uint64_t lost)
{
    line to;
    begin(&to, hookmq_now_ms(), "lost");
    put_number(&to, "lines", (int64_t)lost);
    put(&to, "}\n", 2);
    if (to.len > capacity)
        return 0;
    memcpy(told, to.data, to.len);
    return to.len;
}

/* ---- What is logged. ---- */

HOOKMQ_ON(broker_started, timestamp, endpoint)
{
    line to;
    begin(&to, timestamp, "started");
    put_text(&to, "endpoint", endpoint);
    return finish(&to, instance);
}

HOOKMQ_ON(broker_stopping, timestamp)
{
    line to;
    begin(&to, timestamp, "stopping");
    return finish(&to, instance);
}

HOOKMQ_ON(client_connected, timestamp, client_id, username, endpoint, listener, protocol_version, clean_start, session_present)
{
    line to;
    begin(&to, timestamp, "connected");
    put_text(&to, "client_id", client_id);
    put_text(&to, "username", username);
    put_text(&to, "endpoint", endpoint);
    put_text(&to, "listener", listener);
    put_number(&to, "protocol_version", protocol_version);
    put_bool(&to, "clean_start", clean_start);
    put_bool(&to, "session_present", session_present);
    return finish(&to, instance);
}

HOOKMQ_ON(client_disconnected, timestamp, client_id, username, endpoint, reason_code, reason_string, disconnect_type)
{
    line to;
    begin(&to, timestamp, "disconnected");
    put_text(&to, "client_id", client_id);
    put_text(&to, "username", username);
    put_text(&to, "endpoint", endpoint);
    put_text(&to, "how", disconnect_type);
    put_number(&to, "reason_code", reason_code);
    put_text(&to, "reason_string", reason_string);
    return finish(&to, instance);
}

HOOKMQ_ON(client_subscribed, timestamp, client_id, username, topic_filter, qos)
{
    line to;
    begin(&to, timestamp, "subscribed");
    put_text(&to, "client_id", client_id);
    put_text(&to, "username", username);
    put_text(&to, "topic_filter", topic_filter);
    put_number(&to, "qos", qos);
    return finish(&to, instance);
}

HOOKMQ_ON(client_unsubscribed, timestamp, client_id, username, topic_filter)
{
    line to;
    begin(&to, timestamp, "unsubscribed");
    put_text(&to, "client_id", client_id);
    put_text(&to, "username", username);
    put_text(&to, "topic_filter", topic_filter);
    return finish(&to, instance);
}

HOOKMQ_ON(intercept_publish, topic, client_id, username, source, payload_size, qos, retain)
{
    line to;
    begin(&to, hookmq_now_ms(), "published");
    put_text(&to, "client_id", client_id);
    put_text(&to, "username", username);
    if (!hookmq_equals(source, "client"))
        put_text(&to, "source", source);
    put_text(&to, "topic", topic);
    put_number(&to, "size", payload_size);
    put_number(&to, "qos", qos);
    if (retain)
        put_bool(&to, "retain", true);
    return finish(&to, instance);
}

HOOKMQ_ON(message_dropped, timestamp, reason, plugin, topic, payload_size, sender_client_id, receiver_client_id)
{
    line to;
    begin(&to, timestamp, "dropped");
    put_text(&to, "client_id", sender_client_id);
    put_text(&to, "receiver", receiver_client_id.len > 0 ? receiver_client_id : hookmq_str(NULL));
    put_text(&to, "topic", topic);
    put_number(&to, "size", payload_size);
    put_text(&to, "reason", reason);
    put_text(&to, "plugin", plugin);
    return finish(&to, instance);
}

#ifndef AUDIT_WITHOUT_REFUSALS
/* The answers of the broker that refuse: a client that was not let in, a message that was not taken. */
HOOKMQ_ON(intercept_outbound_packet, packet_type, reason_code, client_id, username, endpoint)
{
    line to;
    if (reason_code < 0x80 || hookmq_equals(packet_type, "disconnect"))
        return HOOKMQ_PASS;
    begin(&to, hookmq_now_ms(), "refused");
    put_text(&to, "packet", packet_type);
    put_number(&to, "reason_code", reason_code);
    put_text(&to, "client_id", client_id);
    put_text(&to, "username", username);
    put_text(&to, "endpoint", endpoint);
    return finish(&to, instance);
}
#define REFUSALS HOOKMQ_LISTEN(intercept_outbound_packet),
#else
#define REFUSALS
#endif

/* ---- The instance. ---- */

static void dispose(audit *log)
{
    if (log->file >= 0)
        close(log->file);
    free(log->waiting);
    free(log->spare);
    free(log);
}

static int32_t refuse(audit *log, const char *why)
{
    dispose(log);
    return hookmq_fail_create(why);
}

static int32_t create(hookmq_bytes config, void **instance)
{
    char words[4300];
    int64_t kib = hookmq_json_integer(hookmq_json_member(config, "buffer_kib"), 1024);
    hookmq_bytes file = hookmq_json_member(config, "file");
    audit *log = (audit *)calloc(1, sizeof *log);
    if (!log)
        return hookmq_fail_create("out of memory");
    log->file = -1;
    if (!file.data)
        return refuse(log, "config.file: missing; name the file that the lines go to, as in file = \"audit.jsonl\"");
    if (hookmq_json_text(file, log->path, sizeof log->path) <= 0)
        return refuse(log, "config.file: must be the path of a file, below 4096 bytes");
    log->flush_ms = hookmq_json_integer(hookmq_json_member(config, "flush_ms"), 1000);
    if (log->flush_ms < 1 || log->flush_ms > 60000)
        return refuse(log, "config.flush_ms: must be 1 to 60000 milliseconds");
    if (kib < 1 || kib > 1024 * 1024)
        return refuse(log, "config.buffer_kib: must be 1 to 1048576");
    log->is_synced = hookmq_json_bool(hookmq_json_member(config, "sync"), false);
    log->capacity = (size_t)kib * 1024;
    log->waiting = (char *)malloc(log->capacity);
    log->spare = (char *)malloc(log->capacity);
    if (!log->waiting || !log->spare)
        return refuse(log, "config.buffer_kib: there is not so much memory");
    log->file = open_file(log->path);
    if (log->file < 0) {
        snprintf(words, sizeof words, "config.file: %s: %s", log->path, strerror(errno));
        return refuse(log, words);
    }
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->wake, NULL);
    if (pthread_create(&log->writer, NULL, write_on, log) != 0)
        return refuse(log, "no thread for the writer");
    *instance = log;
    return HOOKMQ_PASS;
}

/* Returns when all lines are in the file. */
static void destroy(void *instance)
{
    audit *log = (audit *)instance;
    pthread_mutex_lock(&log->lock);
    log->is_ending = true;
    pthread_mutex_unlock(&log->lock);
    pthread_cond_signal(&log->wake);
    pthread_join(log->writer, NULL);
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->lock);
    dispose(log);
}

HOOKMQ_PLUGIN_WITH("audit-log", "1.0.0", create, destroy, REFUSALS HOOKMQ_LISTEN(broker_started), HOOKMQ_LISTEN(broker_stopping),
    HOOKMQ_LISTEN(client_connected), HOOKMQ_LISTEN(client_disconnected), HOOKMQ_LISTEN(client_subscribed),
    HOOKMQ_LISTEN(client_unsubscribed), HOOKMQ_LISTEN(intercept_publish), HOOKMQ_LISTEN(message_dropped));
