/* Writes a GGUF file with every type of metadata value and every tensor type that quern reads, from the specification alone
 * (ggml-org/ggml, docs/gguf.md), to check the reader against something that shares no code with it.
 *   cc -std=c11 -Wall -Wextra -o gguf_file test/vectors/gguf_file.c && ./gguf_file > test/vectors/file.gguf
 * For little-endian machines. Byte i of the data of tensor t is (31 i + 7 t + 1) mod 256. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };

static uint64_t written = 0;

static void put(const void *bytes, size_t count) {
  fwrite(bytes, 1, count, stdout);
  written += count;
}
static void u8(uint8_t v) { put(&v, 1); }
static void u16(uint16_t v) { put(&v, 2); }
static void u32(uint32_t v) { put(&v, 4); }
static void u64(uint64_t v) { put(&v, 8); }
static void f32(float v) { put(&v, 4); }
static void f64(double v) { put(&v, 8); }
static void bytes(const char *text, uint64_t length) {
  u64(length);
  put(text, length);
}
static void string(const char *text) { bytes(text, strlen(text)); }
static void key(const char *name, uint32_t type) {
  string(name);
  u32(type);
}
static void array(uint32_t type, uint64_t length) {
  u32(type);
  u64(length);
}

struct tensor {
  const char *name;
  uint32_t type, rank;
  uint64_t shape[4]; /* innermost first */
  uint64_t bytes;
};

static const struct tensor TENSORS[] = {
    {"f32", 0, 2, {3, 2, 0, 0}, 24},      {"f16", 1, 1, {5, 0, 0, 0}, 10},      {"q4_0", 2, 2, {64, 3, 0, 0}, 108},
    {"q4_1", 3, 1, {32, 0, 0, 0}, 20},    {"q8_0", 8, 3, {32, 2, 2, 0}, 136},   {"i8", 24, 4, {1, 2, 3, 1}, 6},
    {"i16", 25, 1, {3, 0, 0, 0}, 6},      {"i32", 26, 1, {1, 0, 0, 0}, 4},      {"i64", 27, 1, {2, 0, 0, 0}, 16},
    {"f64", 28, 2, {1, 2, 0, 0}, 16},     {"bf16", 30, 1, {7, 0, 0, 0}, 14},    {"scalar", 0, 0, {0, 0, 0, 0}, 4},
};
enum { COUNT = sizeof TENSORS / sizeof TENSORS[0], ALIGNMENT = 64 };

static void pad(void) {
  while (written % ALIGNMENT) u8(0);
}

static void metadata(void) {
  key("general.architecture", STRING), string("test");
  key("general.alignment", U32), u32(ALIGNMENT);
  key("general.quantization_version", U32), u32(2);
  key("a.u8", U8), u8(255);
  key("a.i8", I8), u8(0x80);
  key("a.u16", U16), u16(65535);
  key("a.i16", I16), u16(0x8000);
  key("a.u32", U32), u32(4294967295u);
  key("a.i32", I32), u32(0x80000000u);
  key("a.f32", F32), f32(1e-5f);
  key("a.true", BOOL), u8(1);
  key("a.false", BOOL), u8(0);
  key("a.string", STRING), string("\xc3\xa9\xf0\x9f\x98\x80");
  key("a.empty", STRING), string("");
  key("a.bytes", STRING), bytes("a\xff\xc3z\0", 5);
  key("a.u64", U64), u64(18446744073709551615ull);
  key("a.i64", I64), u64(0x8000000000000000ull);
  key("a.small", I64), u64(42);
  key("a.f64", F64), f64(0.1);
  key("a.zero", F32), u32(0x80000000u);
  key("a.nan", F32), u32(0x7fc00000u);
  key("a.odd_nan", F64), u64(0xfff0000000000001ull);
  key("a.infinity", F64), u64(0xfff0000000000000ull);
  key("b.f32", ARRAY), array(F32, 3), f32(0.1f), u32(0xff800000u), f32(3);
  key("b.strings", ARRAY), array(STRING, 3), string("<unk>"), bytes("\xe2\x96", 2), string("\"");
  key("b.bools", ARRAY), array(BOOL, 2), u8(1), u8(0);
  key("b.u64", ARRAY), array(U64, 2), u64(1), u64(9007199254740993ull);
  key("b.none", ARRAY), array(I16, 0);
  key("b.nested", ARRAY), array(ARRAY, 2), array(U8, 2), u8(1), u8(2), array(ARRAY, 1), array(STRING, 1), string("x");
}
enum { KEYS = 29 };

int main(void) {
  put("GGUF", 4);
  u32(3);
  u64(COUNT);
  u64(KEYS);
  metadata();
  uint64_t offset = 0;
  for (int t = 0; t < COUNT; t++) {
    string(TENSORS[t].name);
    u32(TENSORS[t].rank);
    for (uint32_t d = 0; d < TENSORS[t].rank; d++) u64(TENSORS[t].shape[d]);
    u32(TENSORS[t].type);
    u64(offset);
    offset += (TENSORS[t].bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
  pad();
  for (int t = 0; t < COUNT; t++) {
    for (uint64_t i = 0; i < TENSORS[t].bytes; i++) u8((uint8_t)(31 * i + 7 * t + 1));
    pad();
  }
  return 0;
}
