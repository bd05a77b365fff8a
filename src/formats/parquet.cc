#include "formats/parquet.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "doors/shared_library.h"
#include "formats/parquet_plugin.h"

namespace cairn {
namespace {

constexpr const char* kLibrary = "libcairn_parquet.so";

Result<const ParquetPlugin*> load_plugin() {
  const Result<SharedLibrary> library = SharedLibrary::open_beside_program(kLibrary);
  if (!library.ok()) {
    return bad_config(
        fmt::format("Parquet needs a plug-in: {}. Install the Python package pyarrow into build/venv "
                    "(scripts/setup test) and build again, or convert the files to JSON lines",
                    library.status().message()));
  }
  const auto entry = reinterpret_cast<ParquetPluginEntry>(library->symbol(kParquetPluginSymbol));
  const ParquetPlugin* plugin = entry != nullptr ? entry() : nullptr;
  if (plugin == nullptr || plugin->version != kParquetPluginVersion) {
    return bad_config(
        fmt::format("{} is of another version than this program; build both together", kLibrary));
  }
  return plugin;
}

}  // namespace

struct ParquetReader::State {
  const ParquetPlugin* plugin = nullptr;
  void* reader = nullptr;
  std::string path;
  ParquetPluginRows rows = {};

  State() = default;
  ~State() {
    if (reader != nullptr) {
      plugin->close(reader);
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Status failure(const ParquetPluginFailure& failure) const {
    return {static_cast<StatusCode>(failure.code), fmt::format("{}: {}", path, failure.text)};
  }
};

ParquetReader::ParquetReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ParquetReader::~ParquetReader() = default;
ParquetReader::ParquetReader(ParquetReader&&) noexcept = default;
ParquetReader& ParquetReader::operator=(ParquetReader&&) noexcept = default;

Result<ParquetReader> ParquetReader::open(const std::string& path, const std::vector<Column>& columns,
                                          std::int64_t first_row) {
  auto state = std::make_unique<State>();
  Result<const ParquetPlugin*> plugin = load_plugin();
  if (!plugin.ok()) {
    return plugin.status().with_context(path);
  }
  state->plugin = *plugin;
  state->path = path;
  std::vector<const char*> names;
  const auto is_optional = std::make_unique<bool[]>(columns.size());  // NOLINT(modernize-avoid-c-arrays)
  for (std::size_t i = 0; i < columns.size(); ++i) {
    names.push_back(columns[i].name.c_str());
    is_optional[i] = columns[i].is_optional;
  }
  const ParquetPluginRequest request = {path.c_str(), names.data(), is_optional.get(),
                                        static_cast<std::int64_t>(columns.size()), first_row};
  ParquetPluginFailure failure = {};
  state->reader = state->plugin->open(&request, &failure);
  return state->reader != nullptr ? Result<ParquetReader>(ParquetReader(std::move(state)))
                                  : Result<ParquetReader>(state->failure(failure));
}

Result<bool> ParquetReader::next() {
  ParquetPluginFailure failure = {};
  state_->rows = {};
  const int answer = state_->plugin->next(state_->reader, &state_->rows, &failure);
  return answer >= 0 ? Result<bool>(answer == 1) : Result<bool>(state_->failure(failure));
}

std::int64_t ParquetReader::first_row() const {
  return state_->rows.first_row;
}

std::int64_t ParquetReader::num_rows() const {
  return state_->rows.num_rows;
}

bool ParquetReader::is_null(std::int64_t column, std::int64_t row) const {
  return state_->rows.sizes[column * num_rows() + row] < 0;
}

std::string_view ParquetReader::value(std::int64_t column, std::int64_t row) const {
  const std::int64_t at = column * num_rows() + row;
  const std::int64_t size = state_->rows.sizes[at];
  return size > 0 ? std::string_view(state_->rows.data[at], static_cast<std::size_t>(size))
                  : std::string_view();
}

}  // namespace cairn
