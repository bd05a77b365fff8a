#include "tensor/dtype.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>

namespace cairn {
namespace {

struct DTypeFacts {
  DType dtype;
  std::string_view name;
  std::int64_t size;
};

constexpr std::array<DTypeFacts, 13> kFacts = {{
    {DType::kFloat32, "F32", 4},
    {DType::kBFloat16, "BF16", 2},
    {DType::kFloat16, "F16", 2},
    {DType::kFloat64, "F64", 8},
    {DType::kInt8, "I8", 1},
    {DType::kUint8, "U8", 1},
    {DType::kBool, "BOOL", 1},
    {DType::kInt16, "I16", 2},
    {DType::kUint16, "U16", 2},
    {DType::kInt32, "I32", 4},
    {DType::kUint32, "U32", 4},
    {DType::kInt64, "I64", 8},
    {DType::kUint64, "U64", 8},
}};

}  // namespace

std::int64_t dtype_size(DType dtype) {
  return kFacts[static_cast<std::size_t>(dtype)].size;
}

std::string_view dtype_name(DType dtype) {
  return kFacts[static_cast<std::size_t>(dtype)].name;
}

std::optional<DType> dtype_from_name(std::string_view safetensors_name) {
  for (const DTypeFacts& facts : kFacts) {
    if (facts.name == safetensors_name) {
      return facts.dtype;
    }
  }
  return std::nullopt;
}

float bfloat16_to_float(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

BFloat16 float_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) {
    return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};  // quiet, sign kept
  }
  const std::uint32_t rounding = 0x7FFFU + ((bits >> 16) & 1U);
  return {static_cast<std::uint16_t>((bits + rounding) >> 16)};
}

}  // namespace cairn
