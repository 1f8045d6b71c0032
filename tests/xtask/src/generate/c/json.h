
/* ---- The config: what create gets is JSON. These read it where it lies; nested objects by asking again. ---- */

/* Behind spaces. */
static inline size_t hookmq_json_space_(hookmq_bytes json, size_t at)
{
    while (at < json.len && (json.data[at] == ' ' || json.data[at] == '\t' || json.data[at] == '\n' || json.data[at] == '\r'))
        at++;
    return at;
}

/* Behind the value that starts here; the text is believed to be JSON, but never read beyond its end. */
static inline size_t hookmq_json_skip_(hookmq_bytes json, size_t at)
{
    size_t depth = 0;
    bool in_text = false;
    for (; at < json.len; at++) {
        char letter = json.data[at];
        if (in_text) {
            if (letter == '\\')
                at++;
            else if (letter == '"') {
                in_text = false;
                if (depth == 0)
                    return at + 1;
            }
        } else if (letter == '"')
            in_text = true;
        else if (letter == '{' || letter == '[')
            depth++;
        else if (letter == '}' || letter == ']') {
            if (depth == 0)
                return at;
            if (--depth == 0)
                return at + 1;
        } else if (depth == 0 && (letter == ',' || letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r'))
            return at;
    }
    return json.len;
}

/* The value of a key in a JSON object, as JSON; absent if there is none. A key that is written with escapes is not found. */
static inline hookmq_bytes hookmq_json_member(hookmq_bytes object, const char *key)
{
    hookmq_bytes none = {NULL, 0};
    size_t at = hookmq_json_space_(object, 0);
    if (at >= object.len || object.data[at] != '{')
        return none;
    for (at++;;) {
        hookmq_bytes name, value;
        size_t start = hookmq_json_space_(object, at);
        if (start >= object.len || object.data[start] != '"')
            return none;
        at = hookmq_json_skip_(object, start);
        name = hookmq_slice(object.data + start + 1, at - start < 2 ? 0 : at - start - 2);
        at = hookmq_json_space_(object, at);
        if (at >= object.len || object.data[at] != ':')
            return none;
        start = hookmq_json_space_(object, at + 1);
        at = hookmq_json_skip_(object, start);
        value = hookmq_slice(object.data + start, at - start);
        if (value.len > 0 && hookmq_equals(name, key))
            return value;
        at = hookmq_json_space_(object, at);
        if (at >= object.len || object.data[at] != ',')
            return none;
        at++;
    }
}

/* Four hexadecimal digits; -1 if they are not. */
static inline int32_t hookmq_json_hex_(hookmq_bytes json, size_t at)
{
    int32_t number = 0;
    size_t end = at + 4;
    if (json.len < end)
        return -1;
    for (; at < end; at++) {
        char letter = json.data[at];
        if (letter >= '0' && letter <= '9')
            number = number * 16 + (letter - '0');
        else if (letter >= 'a' && letter <= 'f')
            number = number * 16 + (letter - 'a' + 10);
        else if (letter >= 'A' && letter <= 'F')
            number = number * 16 + (letter - 'A' + 10);
        else
            return -1;
    }
    return number;
}

/* A code point as UTF-8; how many bytes. */
static inline size_t hookmq_json_utf8_(int32_t point, char *bytes)
{
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    size_t at;
    if (len == 1) {
        bytes[0] = (char)point;
        return 1;
    }
    for (at = len - 1; at > 0; at--) {
        bytes[at] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    bytes[0] = (char)((0xf0 << (4 - len) & 0xff) | point);
    return len;
}

/* A JSON string without its quotes and escapes, NUL-terminated. Its length; -1 if it is none, has a NUL, or does not fit. */
static inline int64_t hookmq_json_text(hookmq_bytes json, char *buffer, size_t capacity)
{
    size_t used = 0;
    size_t at;
    if (json.len < 2 || json.data[0] != '"' || json.data[json.len - 1] != '"')
        return -1;
    json.len--;
    for (at = 1; at < json.len; at++) {
        char bytes[4] = {json.data[at], 0, 0, 0};
        size_t len = 1, from;
        if (json.data[at] == '\\') {
            int32_t point, low;
            if (++at >= json.len)
                return -1;
            switch (json.data[at]) {
            case 'b': bytes[0] = '\b'; break;
            case 'f': bytes[0] = '\f'; break;
            case 'n': bytes[0] = '\n'; break;
            case 'r': bytes[0] = '\r'; break;
            case 't': bytes[0] = '\t'; break;
            case 'u':
                point = hookmq_json_hex_(json, at + 1);
                at += 4;
                if (point >= 0xd800 && point < 0xdc00 && at + 2 < json.len && json.data[at + 1] == '\\' && json.data[at + 2] == 'u') {
                    low = hookmq_json_hex_(json, at + 3);
                    if (low < 0xdc00 || low > 0xdfff)
                        return -1;
                    point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
                    at += 6;
                }
                if (point <= 0 || (point >= 0xd800 && point < 0xe000))
                    return -1;
                len = hookmq_json_utf8_(point, bytes);
                break;
            default: bytes[0] = json.data[at];
            }
        }
        if (used + len >= capacity)
            return -1;
        for (from = 0; from < len; from++)
            buffer[used++] = bytes[from];
    }
    if (used >= capacity)
        return -1;
    buffer[used] = 0;
    return (int64_t)used;
}

/* A whole number of up to 18 digits; `otherwise` if it is absent or anything else. */
static inline int64_t hookmq_json_integer(hookmq_bytes json, int64_t otherwise)
{
    int64_t number = 0;
    bool is_negative = json.len > 0 && json.data[0] == '-';
    size_t at = is_negative;
    if (json.len <= at || json.len - at > 18)
        return otherwise;
    for (; at < json.len; at++) {
        if (json.data[at] < '0' || json.data[at] > '9')
            return otherwise;
        number = number * 10 + (json.data[at] - '0');
    }
    return is_negative ? -number : number;
}

/* true or false; `otherwise` if it is absent or anything else. */
static inline bool hookmq_json_bool(hookmq_bytes json, bool otherwise)
{
    return hookmq_equals(json, "true") || (otherwise && !hookmq_equals(json, "false"));
}

#endif
