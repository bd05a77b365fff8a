// Element types of tensors, with the names that safetensors uses on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cairn {

enum class DType : std::uint8_t {
  kFloat32,
  kBFloat16,
  kFloat16,
  kFloat64,
  kInt8,
  kUint8,
  kBool,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64
};

// A bfloat16 is the upper half of a float32. Storage type: arithmetic happens in float32.
struct BFloat16 {
  std::uint16_t bits;
};

std::int64_t dtype_size(DType dtype);      // bytes of one element
std::string_view dtype_name(DType dtype);  // "F32", "BF16", "I64", ... as in safetensors
std::optional<DType> dtype_from_name(std::string_view safetensors_name);

float bfloat16_to_float(BFloat16 value);
BFloat16 float_to_bfloat16(float value);  // round to nearest even; NaN stays NaN

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType kValue = DType::kFloat32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType kValue = DType::kFloat64;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType kValue = DType::kBFloat16;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType kValue = DType::kUint8;
};
template <>
struct DTypeOf<std::uint16_t> {
  static constexpr DType kValue = DType::kUint16;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType kValue = DType::kInt32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType kValue = DType::kInt64;
};

}  // namespace cairn
