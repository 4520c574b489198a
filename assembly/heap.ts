/** First byte that the caller may use. A function, because an exported constant becomes a mutable global. */
export function heapBase(): i32 {
  return __heap_base as i32;
}
