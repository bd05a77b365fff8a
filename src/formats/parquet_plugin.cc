// libcairn_parquet.so: rows of string columns by the Arrow library. Exceptions of that library end here.
#include "formats/parquet_plugin.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/schema.h>

#include "base/status.h"

namespace cairn {
namespace {

constexpr std::int64_t kRows = 1024;

Status status_of(const arrow::Status& status, std::string_view doing) {
  return status.ok() ? ok_status() : bad_data(fmt::format("{}: {}", doing, status.message()));
}

bool is_text_type(const arrow::DataType& type) {
  return type.id() == arrow::Type::STRING || type.id() == arrow::Type::LARGE_STRING ||
         type.id() == arrow::Type::BINARY || type.id() == arrow::Type::LARGE_BINARY;
}

std::vector<std::string> parts_of(const std::string& name) {
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

class Reader {
 public:
  Status open(const ParquetPluginRequest& request);
  Result<bool> next(ParquetPluginRows& rows);

 private:
  Status find_columns(const ParquetPluginRequest& request);
  Status start_row_group();
  Status append_column(const arrow::RecordBatch& batch, const std::vector<std::string>& parts);

  std::unique_ptr<parquet::arrow::FileReader> file_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  std::vector<int> leaves_;
  std::vector<std::vector<std::string>> columns_;  // parts of each name; empty: not in the file
  int row_group_ = 0;
  int num_row_groups_ = 0;
  std::int64_t row_ = 0;   // of the file, the next
  std::int64_t skip_ = 0;  // rows to leave out
  std::vector<const char*> data_;
  std::vector<std::int64_t> sizes_;
};

Status Reader::open(const ParquetPluginRequest& request) {
  arrow::Result<std::shared_ptr<arrow::io::ReadableFile>> input = arrow::io::ReadableFile::Open(request.path);
  if (!input.ok()) {
    return no_input(input.status().message());
  }
  parquet::ReaderProperties properties;
  properties.enable_buffered_stream();  // pages one after the other, not a whole column of a row group
  parquet::ArrowReaderProperties arrow_properties(false);
  arrow_properties.set_batch_size(kRows);
  arrow_properties.set_pre_buffer(false);
  parquet::arrow::FileReaderBuilder builder;
  TRY(status_of(builder.Open(*input, properties), "cannot be read as Parquet"));
  arrow::Result<std::unique_ptr<parquet::arrow::FileReader>> file =
      builder.properties(arrow_properties)->memory_pool(arrow::system_memory_pool())->Build();
  TRY(status_of(file.status(), "cannot be read as Parquet"));
  file_ = std::move(*file);
  num_row_groups_ = file_->num_row_groups();
  TRY(find_columns(request));
  // The row group of the first row; rows of the same group before it are decoded and left out.
  const parquet::FileMetaData& facts = *file_->parquet_reader()->metadata();
  while (row_group_ < num_row_groups_ && row_ + facts.RowGroup(row_group_)->num_rows() <= request.first_row) {
    row_ += facts.RowGroup(row_group_)->num_rows();
    ++row_group_;
  }
  skip_ = request.first_row - row_;
  if (row_group_ == num_row_groups_ && skip_ > 0) {
    return bad_data(fmt::format("has {} rows, reading was to begin at row {}", row_, request.first_row));
  }
  return ok_status();
}

Status Reader::find_columns(const ParquetPluginRequest& request) {
  const parquet::SchemaDescriptor& schema = *file_->parquet_reader()->metadata()->schema();
  for (std::int64_t c = 0; c < request.num_columns; ++c) {
    const std::string name = request.columns[c];
    int leaf = 0;
    while (leaf < schema.num_columns() && schema.Column(leaf)->path()->ToDotString() != name) {
      ++leaf;
    }
    if (leaf == schema.num_columns() && !request.is_optional[c]) {
      std::string names;
      for (int i = 0; i < std::min(schema.num_columns(), 30); ++i) {
        names += (i == 0 ? "" : ", ") + schema.Column(i)->path()->ToDotString();
      }
      return bad_data(fmt::format("has no column '{}'; it has {}", name, names));
    }
    const bool is_there = leaf < schema.num_columns();
    columns_.push_back(is_there ? parts_of(name) : std::vector<std::string>());
    if (is_there && std::find(leaves_.begin(), leaves_.end(), leaf) == leaves_.end()) {
      leaves_.push_back(leaf);
    }
  }
  return ok_status();
}

Status Reader::start_row_group() {
  arrow::Result<std::unique_ptr<arrow::RecordBatchReader>> batches =
      file_->GetRecordBatchReader({row_group_}, leaves_);
  TRY(status_of(batches.status(), fmt::format("row group {}", row_group_)));
  batches_ = std::move(*batches);
  return ok_status();
}

template <class Array>
void append_values(const Array& array, std::vector<const char*>& data, std::vector<std::int64_t>& sizes) {
  for (std::int64_t i = 0; i < array.length(); ++i) {
    const auto view = array.GetView(i);
    data.push_back(view.data());
    sizes.push_back(array.IsNull(i) ? -1 : static_cast<std::int64_t>(view.size()));
  }
}

Status Reader::append_column(const arrow::RecordBatch& batch, const std::vector<std::string>& parts) {
  if (parts.empty()) {
    data_.insert(data_.end(), static_cast<std::size_t>(batch.num_rows()), nullptr);
    sizes_.insert(sizes_.end(), static_cast<std::size_t>(batch.num_rows()), -1);
    return ok_status();
  }
  const std::size_t begin = sizes_.size();
  std::shared_ptr<arrow::Array> array = batch.GetColumnByName(parts.front());
  std::vector<std::shared_ptr<arrow::Array>> parents;
  for (std::size_t i = 1; i < parts.size() && array && array->type_id() == arrow::Type::STRUCT; ++i) {
    parents.push_back(array);
    array = static_cast<const arrow::StructArray&>(*array).GetFieldByName(parts[i]);
  }
  const arrow::DataType* type = array ? array->type().get() : nullptr;
  if (type == nullptr || !is_text_type(*type)) {
    return bad_data(fmt::format("the column '{}' is of type {}, no string", fmt::join(parts, "."),
                                type == nullptr ? "unknown" : type->ToString()));
  }
  if (type->id() == arrow::Type::STRING || type->id() == arrow::Type::BINARY) {
    append_values(static_cast<const arrow::BinaryArray&>(*array), data_, sizes_);
  } else {
    append_values(static_cast<const arrow::LargeBinaryArray&>(*array), data_, sizes_);
  }
  for (const std::shared_ptr<arrow::Array>& parent : parents) {
    for (std::int64_t i = 0; i < parent->length(); ++i) {
      if (parent->IsNull(i)) {
        sizes_[begin + static_cast<std::size_t>(i)] = -1;
      }
    }
  }
  return ok_status();
}

Result<bool> Reader::next(ParquetPluginRows& rows) {
  while (true) {
    if (!batches_) {
      if (row_group_ == num_row_groups_) {
        return false;
      }
      TRY(start_row_group());
    }
    TRY(status_of(batches_->ReadNext(&batch_), fmt::format("row group {} from row {}", row_group_, row_)));
    if (!batch_) {
      batches_.reset();
      ++row_group_;
      continue;
    }
    const std::int64_t skipped = std::min(skip_, batch_->num_rows());
    row_ += skipped;
    skip_ -= skipped;
    batch_ = batch_->Slice(skipped);
    if (batch_->num_rows() > 0) {
      break;
    }
  }
  data_.clear();
  sizes_.clear();
  for (const std::vector<std::string>& parts : columns_) {
    TRY(append_column(*batch_, parts));
  }
  rows = {row_, batch_->num_rows(), data_.data(), sizes_.data()};
  row_ += batch_->num_rows();
  return true;
}

void tell(const Status& status, ParquetPluginFailure& failure) {
  failure.code = static_cast<std::int32_t>(status.code());
  const std::size_t size = std::min(status.message().size(), sizeof failure.text - 1);
  std::memcpy(failure.text, status.message().data(), size);
  failure.text[size] = '\0';
}

// `work` returns a Status; what Arrow throws becomes one.
template <class Work>
Status guarded(const Work& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return bad_data(error.what());
  }
}

void* open_reader(const ParquetPluginRequest* request, ParquetPluginFailure* failure) {
  auto reader = std::make_unique<Reader>();
  const Status status = guarded([&] { return reader->open(*request); });
  if (!status.ok()) {
    tell(status, *failure);
    return nullptr;
  }
  return reader.release();
}

int next_rows(void* reader, ParquetPluginRows* rows, ParquetPluginFailure* failure) {
  bool has_rows = false;
  const Status status = guarded([&]() -> Status {
    TRY_ASSIGN(has_rows, static_cast<Reader*>(reader)->next(*rows));
    return ok_status();
  });
  if (!status.ok()) {
    tell(status, *failure);
    return -1;
  }
  return has_rows ? 1 : 0;
}

void close_reader(void* reader) {
  const std::unique_ptr<Reader> closed(static_cast<Reader*>(reader));
}

}  // namespace
}  // namespace cairn

extern "C" __attribute__((visibility("default"))) const cairn::ParquetPlugin* cairn_parquet_plugin() {
  static constexpr cairn::ParquetPlugin kPlugin = {cairn::kParquetPluginVersion, cairn::open_reader,
                                                   cairn::next_rows, cairn::close_reader};
  return &kPlugin;
}
