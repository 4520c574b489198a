// Codes, scales and values of the formats of docs/FORMAT.md, reckoned by a C compiler from the formulas alone.
//   cc -O2 -ffp-contract=off -o /tmp/formats test/vectors/gguf.c -lm && /tmp/formats > test/vectors/formats.bin
// Writes, for each format and each size of 1..300, 4095, 4096, 4097, one FNV-1a hash (u32, little endian) over all kinds of inputs:
// scales, minima or zero points, codes, values, and of the formats of GGUF the bytes of all whole blocks.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 4097, KINDS = 8, FORMATS = 6 };

static uint32_t state;

static uint32_t next(void) {  // mulberry32
  state += 0x6d2b79f5u;
  uint32_t t = (state ^ (state >> 15)) * (state | 1);
  t ^= t + (t ^ (t >> 7)) * (t | 61);
  return t ^ (t >> 14);
}

static float from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

static void fill(float *x, int n, int kind) {
  state = 1000u * (uint32_t)n + (uint32_t)kind;
  for (int i = 0; i < n; i++) {
    uint32_t r = next();
    int first = i % 32 == 0;
    if (kind == 0) x[i] = (float)(((double)r + next() + next() + next() - 8589934592.0) / 8589934592.0 * 0.1);
    else if (kind == 1) x[i] = first ? (r & 1 ? 127 : -127) : ((int)(r % 509) - 254) * 0.5f;       // ties of Q8_0
    else if (kind == 2) x[i] = first ? (r & 1 ? 8 : -8) : ((int)(r % 33) - 16) * 0.5f;             // ties of Q4_0
    else if (kind == 3) x[i] = first ? 0 : i % 32 == 1 ? 15 : (r % 31) * 0.5f;                     // ties of Q4_1
    else if (kind == 4) x[i] = from_bits(r & 0x807fffffu);                                         // subnormals
    else if (kind == 5) x[i] = (float)ldexp((int32_t)r, -43 - (int)(next() % 15));                 // scales that f16 has as subnormals
    else if (kind == 6) x[i] = from_bits((r & 0x807fffffu) | ((117u + next() % 20) << 23));        // of many magnitudes
    else x[i] = r % 50 == 0 ? from_bits(1) : r % 3 == 0 ? -0.0f : 0.0f;
  }
}

static uint32_t hash;

static void add(const void *data, size_t n) {
  for (const uint8_t *p = data; n > 0; n--) hash = (hash ^ *p++) * 16777619u;
}

static void add_float(float x) { add(&x, 4); }

static void add_half(_Float16 x) { add(&x, 2); }

static float inverse(float d) {
  float id = 1.0f / d;
  return isfinite(id) ? id : 0.0f;  // 0 for d = 0, and where 1 / d is beyond f32
}

static int clip(float x) { return x < 0 ? 0 : x > 15 ? 15 : (int)x; }

static void gguf(const float *x, int n, int format) {
  static _Float16 d[MOST / 32 + 1], m[MOST / 32 + 1];
  static int8_t q[MOST];
  int groups = (n + 31) / 32;
  for (int g = 0; g < groups; g++) {
    const float *v = x + 32 * g;
    int8_t *c = q + 32 * g;
    int k = n - 32 * g < 32 ? n - 32 * g : 32;
    if (format == 0) {
      float amax = 0;
      for (int i = 0; i < k; i++) amax = fmaxf(amax, fabsf(v[i]));
      float scale = amax / 127.0f, id = inverse(scale);
      d[g] = (_Float16)scale;
      for (int i = 0; i < k; i++) c[i] = (int8_t)roundf(v[i] * id);
    } else if (format == 1) {
      float amax = 0, far = 0;
      for (int i = 0; i < k; i++) if (fabsf(v[i]) > amax) amax = fabsf(v[i]), far = v[i];
      float scale = far / -8.0f, id = inverse(scale);
      d[g] = (_Float16)scale;
      for (int i = 0; i < k; i++) {
        int code = (int)(v[i] * id + 8.5f);
        c[i] = (int8_t)((code > 15 ? 15 : code) - 8);
      }
    } else {
      float low = v[0], high = v[0];
      for (int i = 1; i < k; i++) {
        if (v[i] < low) low = v[i];
        if (v[i] > high) high = v[i];
      }
      float scale = (high - low) / 15.0f, id = inverse(scale);
      d[g] = (_Float16)scale;
      m[g] = (_Float16)low;
      for (int i = 0; i < k; i++) {
        int code = (int)((v[i] - low) * id + 0.5f);
        c[i] = (int8_t)((code > 15 ? 15 : code) - 8);
      }
    }
  }
  for (int g = 0; g < groups; g++) add_half(d[g]);
  if (format == 2) for (int g = 0; g < groups; g++) add_half(m[g]);
  add(q, (size_t)n);
  for (int i = 0; i < n; i++) {
    float scale = (float)d[i / 32];
    add_float(format == 2 ? (float)(q[i] + 8) * scale + (float)m[i / 32] : (float)q[i] * scale);
  }
  for (int g = 0; g < n / 32; g++) {
    add_half(d[g]);
    if (format == 2) add_half(m[g]);
    if (format == 0) add(q + 32 * g, 32);
    else for (int j = 0; j < 16; j++) {
      uint8_t pair = (uint8_t)((q[32 * g + j] + 8) | (q[32 * g + j + 16] + 8) << 4);
      add(&pair, 1);
    }
  }
}

static const float LEVELS[16] = {
  -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
  -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
  0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f,
};

static void nf4(const float *x, int n) {
  static float scale[MOST];
  static int8_t q[MOST];
  for (int at = 0; at < n; at += 64) {
    int k = n - at < 64 ? n - at : 64;
    float amax = 0;
    for (int i = at; i < at + k; i++) amax = fmaxf(amax, fabsf(x[i]));
    scale[at / 64] = amax;
    for (int i = at; i < at + k; i++) {
      float t = x[i] * inverse(amax);
      int code = 0;
      while (code < 15 && t > (LEVELS[code] + LEVELS[code + 1]) / 2) code++;
      q[i] = (int8_t)(code - 8);
    }
  }
  add(scale, 4 * (size_t)((n + 63) / 64));
  add(q, (size_t)n);
  for (int i = 0; i < n; i++) add_float(LEVELS[q[i] + 8] * scale[i / 64]);
}

static void nbits4(const float *x, int n, int asymmetric) {
  static float scale[MOST];
  static int8_t zero[MOST], q[MOST];
  for (int at = 0; at < n; at += 32) {
    int k = n - at < 32 ? n - at : 32;
    float low = 0, high = 0;
    for (int i = at; i < at + k; i++) {
      if (x[i] < low) low = x[i];
      if (x[i] > high) high = x[i];
    }
    float s = asymmetric ? (high - low) / 15.0f : (fabsf(high) > fabsf(low) ? high : low) / -8.0f;
    float z = s != 0 ? 0.0f - low / s : low;
    int zp = asymmetric ? clip(roundf(z)) : 8;
    scale[at / 32] = s;
    zero[at / 32] = (int8_t)(zp - 8);
    for (int i = at; i < at + k; i++) q[i] = (int8_t)(clip(roundf(x[i] * inverse(s) + (float)zp)) - 8);
  }
  add(scale, 4 * (size_t)((n + 31) / 32));
  if (asymmetric) add(zero, (size_t)((n + 31) / 32));
  add(q, (size_t)n);
  for (int i = 0; i < n; i++) add_float((float)(q[i] - (asymmetric ? zero[i / 32] : 0)) * scale[i / 32]);
}

int main(void) {
  static float x[MOST];
  for (int format = 0; format < FORMATS; format++) {
    for (int i = 1; i <= 303; i++) {
      int n = i <= 300 ? i : 4095 + i - 301;
      hash = 2166136261u;
      for (int kind = 0; kind < KINDS; kind++) {
        fill(x, n, kind);
        if (format < 3) gguf(x, n, format);
        else if (format == 3) nf4(x, n);
        else nbits4(x, n, format - 4);
      }
      uint8_t bytes[4] = {(uint8_t)hash, (uint8_t)(hash >> 8), (uint8_t)(hash >> 16), (uint8_t)(hash >> 24)};
      fwrite(bytes, 1, 4, stdout);
    }
  }
  return 0;
}
