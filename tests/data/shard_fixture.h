// A shard of given documents in any file system, for tests of token shards.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "data/token_shard_writer.h"
#include "doors/file_system.h"

namespace cairn::test {

using Document = std::vector<std::int32_t>;

inline Status write_shard(FileSystem& files, const std::string& prefix, std::int64_t vocab_size,
                          const std::vector<Document>& documents) {
  TRY_ASSIGN(data::TokenShardWriter writer, data::TokenShardWriter::create(files, prefix, vocab_size));
  for (const Document& document : documents) {
    TRY(writer.add_document(document));
  }
  return writer.finish();
}

inline std::vector<Document> some_documents(std::int64_t vocab_size) {
  std::mt19937 random(17);
  std::vector<Document> documents(40);
  for (Document& document : documents) {
    document.resize(random() % 5000);
    for (std::int32_t& id : document) {
      id = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(vocab_size));
    }
  }
  return documents;
}

}  // namespace cairn::test
