// The writing half of formats/safetensors.h.
#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "formats/json.h"
#include "formats/safetensors.h"

namespace cairn {
namespace {

struct Placed {
  const SafetensorsEntry* entry;
  DType dtype;
  std::int64_t num_bytes;
};

struct Layout {
  std::vector<Placed> tensors;  // in the order of their bytes
  std::string header;           // length bytes included
  std::int64_t data_bytes = 0;
};

// The safetensors package sorts by this rank, falling, so that every tensor starts aligned to its own size.
int dtype_rank(DType dtype) {
  constexpr std::array<DType, 13> kRising = {DType::kBool,   DType::kUint8,   DType::kInt8,     DType::kInt16,
                                             DType::kUint16, DType::kFloat16, DType::kBFloat16, DType::kInt32,
                                             DType::kUint32, DType::kFloat32, DType::kFloat64,  DType::kInt64,
                                             DType::kUint64};
  return static_cast<int>(std::find(kRising.begin(), kRising.end(), dtype) - kRising.begin());
}

Status check_entries(std::span<const SafetensorsEntry> entries) {
  std::set<std::string_view> names;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.name == "__metadata__" || !names.insert(entry.name).second) {
      return {StatusCode::kBug, fmt::format("tensor name '{}' cannot be written", entry.name)};
    }
    const DType stored = entry.store_as.value_or(entry.view.dtype());
    const bool rounds = entry.view.dtype() == DType::kFloat32 && stored == DType::kBFloat16;
    if (stored != entry.view.dtype() && !rounds) {
      return {StatusCode::kBug, fmt::format("tensor '{}' cannot be stored as {} from {}", entry.name,
                                            dtype_name(stored), dtype_name(entry.view.dtype()))};
    }
  }
  return ok_status();
}

Layout make_layout(std::span<const SafetensorsEntry> entries,
                   const std::map<std::string, std::string>& metadata) {
  Layout layout;
  for (const SafetensorsEntry& entry : entries) {
    const DType dtype = entry.store_as.value_or(entry.view.dtype());
    layout.tensors.push_back({&entry, dtype, entry.view.num_elements() * dtype_size(dtype)});
  }
  std::sort(layout.tensors.begin(), layout.tensors.end(), [](const Placed& a, const Placed& b) {
    const int rank_a = dtype_rank(a.dtype);
    const int rank_b = dtype_rank(b.dtype);
    return rank_a != rank_b ? rank_a > rank_b : a.entry->name < b.entry->name;
  });
  // Members are appended, not looked up: a header may have hundreds of thousands.
  Json header = Json::object();
  auto& members = header.get_ref<Json::object_t&>();
  Json described = Json::object();
  if (!metadata.contains("format")) {
    described["format"] = "pt";
  }
  for (const auto& [key, value] : metadata) {
    described[key] = value;
  }
  members.emplace_back("__metadata__", std::move(described));
  for (const Placed& placed : layout.tensors) {
    Json tensor = Json::object();
    tensor["dtype"] = dtype_name(placed.dtype);
    tensor["shape"] = Json::array();
    for (const std::int64_t dim : placed.entry->view.shape().dims()) {
      tensor["shape"].push_back(dim);
    }
    tensor["data_offsets"] = {layout.data_bytes, layout.data_bytes + placed.num_bytes};
    layout.data_bytes += placed.num_bytes;
    members.emplace_back(placed.entry->name, std::move(tensor));
  }
  std::string text = json_to_text(header, -1);
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  layout.header.resize(sizeof length);
  std::memcpy(layout.header.data(), &length, sizeof length);
  layout.header += text;
  return layout;
}

Status append_as_bfloat16(WritableFile& file, std::span<const float> elements) {
  constexpr std::size_t kChunk = 32 * 1024;  // elements: 64 KiB
  std::vector<BFloat16> chunk(std::min(kChunk, elements.size()));
  while (!elements.empty()) {
    const std::size_t count = std::min(kChunk, elements.size());
    std::transform(elements.begin(), elements.begin() + static_cast<std::ptrdiff_t>(count), chunk.begin(),
                   float_to_bfloat16);
    TRY(file.append(std::as_bytes(std::span(chunk).first(count))));
    elements = elements.subspan(count);
  }
  return ok_status();
}

}  // namespace

Status write_safetensors(WritableFile& file, std::span<const SafetensorsEntry> entries,
                         const std::map<std::string, std::string>& metadata) {
  TRY(check_entries(entries));
  const Layout layout = make_layout(entries, metadata);
  if (static_cast<std::int64_t>(layout.header.size()) - 8 > kSafetensorsHeaderBytesMax) {
    return cannot_write(fmt::format("a safetensors header of {} bytes; at most {} are allowed",
                                    layout.header.size(), kSafetensorsHeaderBytesMax));
  }
  TRY(file.append(std::as_bytes(std::span(layout.header))));
  for (const Placed& placed : layout.tensors) {
    const ConstTensorView& view = placed.entry->view;
    if (placed.dtype != view.dtype()) {
      TRY(append_as_bfloat16(file, view.span<float>()));
    } else if (placed.num_bytes > 0) {
      TRY(file.append({view.bytes(), static_cast<std::size_t>(placed.num_bytes)}));
    }
  }
  return ok_status();
}

std::int64_t safetensors_file_size(std::span<const SafetensorsEntry> entries,
                                   const std::map<std::string, std::string>& metadata) {
  const Layout layout = make_layout(entries, metadata);
  return static_cast<std::int64_t>(layout.header.size()) + layout.data_bytes;
}

}  // namespace cairn
