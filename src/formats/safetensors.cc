#include "formats/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "formats/json.h"

namespace cairn {
namespace {

constexpr std::int64_t kLengthBytes = 8;
constexpr std::int64_t kChunkBytes = 64 * 1024;

Status tensor_fault(std::string_view name, std::string_view reason) {
  return bad_data(fmt::format("tensor '{}': {}", name.substr(0, 200), reason));
}

// The bytes of a tensor of these dims, or nothing when they do not fit int64.
std::optional<std::int64_t> checked_num_bytes(std::span<const std::int64_t> dims, DType dtype) {
  std::int64_t bytes = dtype_size(dtype);
  for (const std::int64_t dim : dims) {
    if (__builtin_mul_overflow(bytes, dim, &bytes)) {
      return std::nullopt;
    }
  }
  return bytes;
}

Result<Shape> parse_shape(std::string_view name, const Json& dims_json) {
  if (!dims_json.is_array()) {
    return tensor_fault(name, "its shape is not a list");
  }
  if (dims_json.size() > Shape::kRankMax) {
    return tensor_fault(name,
                        fmt::format("{} dims; at most {} are supported", dims_json.size(), Shape::kRankMax));
  }
  std::vector<std::int64_t> dims;
  for (const Json& dim : dims_json) {
    const std::optional<std::int64_t> value = as_int64(dim);
    if (!value || *value < 0) {
      return tensor_fault(name, "a dim is no count");
    }
    dims.push_back(*value);
  }
  return Shape(std::span<const std::int64_t>(dims));
}

// `data_begin`: offset in the file of the first tensor byte.
Result<SafetensorsInfo> parse_tensor(const std::string& name, const Json& json, std::int64_t data_begin,
                                     std::int64_t data_bytes) {
  const Json* dtype_json = find(json, "dtype");
  const Json* shape_json = find(json, "shape");
  const Json* offsets_json = find(json, "data_offsets");
  if (dtype_json == nullptr || shape_json == nullptr || offsets_json == nullptr) {
    return tensor_fault(name, "it needs dtype, shape and data_offsets");
  }
  const std::optional<std::string_view> dtype_text = as_string(*dtype_json);
  const std::optional<DType> dtype = dtype_text ? dtype_from_name(*dtype_text) : std::nullopt;
  if (!dtype) {
    return tensor_fault(
        name, fmt::format("the dtype {} is not supported", json_to_text(*dtype_json, -1).substr(0, 100)));
  }
  TRY_ASSIGN(const Shape shape, parse_shape(name, *shape_json));
  if (!offsets_json->is_array() || offsets_json->size() != 2) {
    return tensor_fault(name, "data_offsets are not two numbers");
  }
  const std::optional<std::int64_t> begin = as_int64((*offsets_json)[0]);
  const std::optional<std::int64_t> end = as_int64((*offsets_json)[1]);
  if (!begin || !end || *begin < 0 || *end < *begin || *end > data_bytes) {
    return tensor_fault(name, fmt::format("data_offsets {} do not lie in the {} bytes of data",
                                          json_to_text(*offsets_json, -1).substr(0, 100), data_bytes));
  }
  // A product that overflows before a later zero is refused as well: no real tensor has such dims.
  const std::optional<std::int64_t> num_bytes = checked_num_bytes(shape.dims(), *dtype);
  if (!num_bytes || *num_bytes != *end - *begin) {
    return tensor_fault(name, fmt::format("shape {} of {} does not take the {} bytes between its offsets",
                                          shape.to_string(), dtype_name(*dtype), *end - *begin));
  }
  return SafetensorsInfo{name, *dtype, shape, data_begin + *begin, *num_bytes};
}

Status parse_metadata(const Json& json, std::map<std::string, std::string>& metadata) {
  if (!json.is_object()) {
    return bad_data("__metadata__ is not an object");
  }
  for (const auto& [key, value] : json.get_ref<const Json::object_t&>()) {
    const std::optional<std::string_view> text = as_string(value);
    if (!text) {
      return bad_data(fmt::format("__metadata__ '{}' is not a string", key.substr(0, 200)));
    }
    metadata[key] = *text;
  }
  return ok_status();
}

// The tensors must cover the data exactly: no gap, no overlap, no byte left over.
Status check_coverage(std::span<const SafetensorsInfo> tensors, std::int64_t data_begin,
                      std::int64_t file_size) {
  std::vector<const SafetensorsInfo*> by_offset;
  for (const SafetensorsInfo& tensor : tensors) {
    by_offset.push_back(&tensor);
  }
  std::sort(by_offset.begin(), by_offset.end(), [](const SafetensorsInfo* a, const SafetensorsInfo* b) {
    return std::pair(a->offset, a->num_bytes) < std::pair(b->offset, b->num_bytes);
  });
  std::int64_t position = data_begin;
  for (const SafetensorsInfo* tensor : by_offset) {
    if (tensor->offset != position) {
      return tensor_fault(tensor->name, tensor->offset < position ? "its bytes overlap another tensor's"
                                                                  : "there is a gap before its bytes");
    }
    position += tensor->num_bytes;
  }
  if (position != file_size) {
    return bad_data(fmt::format("{} bytes after the last tensor belong to nothing", file_size - position));
  }
  return ok_status();
}

template <class T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Integers and booleans of type T as float32; false when one is not exact: more than 24 significant bits.
template <class T>
bool convert_integers(std::span<const std::byte> bytes, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const T value = load<T>(bytes.data() + i * sizeof(T));
    const auto wide = static_cast<std::uint64_t>(value);
    const std::uint64_t magnitude = value < 0 ? ~wide + 1 : wide;
    if (magnitude != 0 && (magnitude >> std::countr_zero(magnitude)) >= (1U << 24)) {
      return false;
    }
    out[i] = static_cast<float>(value);
  }
  return true;
}

template <class T, class Convert>
bool convert_each(std::span<const std::byte> bytes, std::span<float> out, Convert convert) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = convert(load<T>(bytes.data() + i * sizeof(T)));
  }
  return true;
}

// False when an element cannot be stated in float32 without error.
bool convert_to_float32(DType dtype, std::span<const std::byte> bytes, std::span<float> out) {
  switch (dtype) {
    case DType::kFloat32:
      return convert_each<float>(bytes, out, [](float x) { return x; });
    case DType::kBFloat16:
      return convert_each<std::uint16_t>(bytes, out, [](std::uint16_t x) { return bfloat16_to_float({x}); });
    case DType::kFloat16:
      return convert_each<std::uint16_t>(bytes, out, [](std::uint16_t x) { return float16_to_float(x); });
    case DType::kFloat64:
      return convert_each<double>(bytes, out, [](double x) { return static_cast<float>(x); });
    case DType::kInt8:
      return convert_integers<std::int8_t>(bytes, out);
    case DType::kUint8:
    case DType::kBool:
      return convert_integers<std::uint8_t>(bytes, out);
    case DType::kInt16:
      return convert_integers<std::int16_t>(bytes, out);
    case DType::kUint16:
      return convert_integers<std::uint16_t>(bytes, out);
    case DType::kInt32:
      return convert_integers<std::int32_t>(bytes, out);
    case DType::kUint32:
      return convert_integers<std::uint32_t>(bytes, out);
    case DType::kInt64:
      return convert_integers<std::int64_t>(bytes, out);
    case DType::kUint64:
      return convert_integers<std::uint64_t>(bytes, out);
  }
  return false;
}

}  // namespace

float float16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  const std::uint32_t wide_exponent = exponent == 0x1F ? 0xFFU : exponent + 112;
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (mantissa << 13));
}

const SafetensorsInfo* SafetensorsHeader::find(std::string_view name) const {
  const auto at =
      std::lower_bound(tensors.begin(), tensors.end(), name,
                       [](const SafetensorsInfo& info, std::string_view key) { return info.name < key; });
  return at != tensors.end() && at->name == name ? &*at : nullptr;
}

Result<SafetensorsHeader> parse_safetensors_header(std::span<const std::byte> header_bytes,
                                                   std::int64_t file_size) {
  if (file_size < kLengthBytes || header_bytes.size() < kLengthBytes) {
    return bad_data(fmt::format("{} bytes are too few for a safetensors file", file_size));
  }
  const auto length = load<std::uint64_t>(header_bytes.data());
  if (length > static_cast<std::uint64_t>(kSafetensorsHeaderBytesMax) ||
      static_cast<std::int64_t>(length) > file_size - kLengthBytes) {
    return bad_data(fmt::format("a header of {} bytes in a file of {}; at most {} are allowed", length,
                                file_size, kSafetensorsHeaderBytesMax));
  }
  if (length > header_bytes.size() - kLengthBytes) {
    return bad_data(
        fmt::format("{} bytes of the header are missing", length - (header_bytes.size() - kLengthBytes)));
  }
  const std::string_view text(reinterpret_cast<const char*>(header_bytes.data()) + kLengthBytes, length);
  constexpr int kDepth = 3;  // header, tensor, list
  const Result<Json> json = parse_json(text, {kSafetensorsHeaderBytesMax, kDepth});
  if (!json.ok()) {
    return json.status().with_context("safetensors header");
  }
  if (!json->is_object()) {
    return bad_data("the safetensors header is not an object");
  }
  const std::int64_t data_begin = kLengthBytes + static_cast<std::int64_t>(length);
  SafetensorsHeader header;
  for (const auto& [name, value] : json->get_ref<const Json::object_t&>()) {
    if (name == "__metadata__") {
      TRY(parse_metadata(value, header.metadata));
      continue;
    }
    TRY_ASSIGN(SafetensorsInfo tensor, parse_tensor(name, value, data_begin, file_size - data_begin));
    header.tensors.push_back(std::move(tensor));
  }
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const SafetensorsInfo& a, const SafetensorsInfo& b) { return a.name < b.name; });
  TRY(check_coverage(header.tensors, data_begin, file_size));
  return header;
}

Result<SafetensorsFile> SafetensorsFile::open(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(std::unique_ptr<ReadableFile> file, files.open(path));
  std::vector<std::byte> bytes(kLengthBytes);
  if (file->size() >= kLengthBytes) {
    TRY(file->read(0, bytes));
    const auto length = load<std::uint64_t>(bytes.data());
    // A length beyond the limit is refused by the parser, without reading that much.
    if (length <=
        static_cast<std::uint64_t>(std::min(kSafetensorsHeaderBytesMax, file->size() - kLengthBytes))) {
      bytes.resize(kLengthBytes + length);
      TRY(file->read(kLengthBytes, std::span(bytes).subspan(kLengthBytes)));
    }
  }
  Result<SafetensorsHeader> header = parse_safetensors_header(bytes, file->size());
  if (!header.ok()) {
    return header.status().with_context(path);
  }
  return SafetensorsFile(path, std::move(file), std::move(header).value());
}

Result<const SafetensorsInfo*> SafetensorsFile::find_matching(std::string_view name,
                                                              const Shape& shape) const {
  const SafetensorsInfo* info = find(name);
  if (info == nullptr) {
    return bad_data(fmt::format("{}: there is no tensor '{}'", path_, name));
  }
  if (!(info->shape == shape)) {
    return tensor_fault(name, fmt::format("shape {} in {}, but {} is needed", info->shape.to_string(), path_,
                                          shape.to_string()));
  }
  return info;
}

Status SafetensorsFile::read(std::string_view name, TensorView out) const {
  TRY_ASSIGN(const SafetensorsInfo* info, find_matching(name, out.shape()));
  if (info->dtype != out.dtype()) {
    return tensor_fault(name, fmt::format("dtype {} in {}, but {} is needed", dtype_name(info->dtype), path_,
                                          dtype_name(out.dtype())));
  }
  return file_->read(info->offset, {out.bytes(), static_cast<std::size_t>(info->num_bytes)});
}

Status SafetensorsFile::read_as_float32(std::string_view name, TensorView out) const {
  TRY_ASSIGN(const SafetensorsInfo* info, find_matching(name, out.shape()));
  const std::span<float> elements = out.span<float>();
  if (info->dtype == DType::kFloat32) {
    return file_->read(info->offset, std::as_writable_bytes(elements));
  }
  const std::int64_t element_bytes = dtype_size(info->dtype);
  std::vector<std::byte> chunk(static_cast<std::size_t>(std::min(kChunkBytes, info->num_bytes)));
  for (std::int64_t done = 0; done < info->num_bytes; done += kChunkBytes) {
    const std::int64_t count = std::min(kChunkBytes, info->num_bytes - done);
    const auto bytes = std::span(chunk).first(static_cast<std::size_t>(count));
    TRY(file_->read(info->offset + done, bytes));
    const auto part = elements.subspan(static_cast<std::size_t>(done / element_bytes),
                                       static_cast<std::size_t>(count / element_bytes));
    if (!convert_to_float32(info->dtype, bytes, part)) {
      return tensor_fault(name,
                          fmt::format("an element of {} is not exact in float32", dtype_name(info->dtype)));
    }
  }
  return ok_status();
}

}  // namespace cairn
