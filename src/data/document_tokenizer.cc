#include "data/document_tokenizer.h"

#include <algorithm>
#include <optional>

namespace cairn::data {
namespace {

bool contains(std::span<const std::int32_t> ids, std::int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// What the template puts there, without `id` when it is not wanted, with it when it is.
std::vector<std::int32_t> ends_with(std::span<const std::int32_t> from_template,
                                    std::optional<std::int32_t> id, bool is_wanted) {
  std::vector<std::int32_t> ids(from_template.begin(), from_template.end());
  if (!id) {
    return ids;
  }
  if (!is_wanted) {
    std::erase(ids, *id);
  } else if (!contains(ids, *id)) {
    ids.push_back(*id);
  }
  return ids;
}

}  // namespace

DocumentTokenizer::DocumentTokenizer(tokenizer::Tokenizer tokenizer, std::vector<std::int32_t> prefix,
                                     std::vector<std::int32_t> suffix)
    : tokenizer_(tokenizer),
      encoder_(std::move(tokenizer)),
      prefix_(std::move(prefix)),
      suffix_(std::move(suffix)) {}

Result<DocumentTokenizer> DocumentTokenizer::create(tokenizer::Tokenizer tokenizer, DocumentEnds ends) {
  if (ends.eos && !tokenizer.eos_id()) {
    return bad_data(
        "the tokenizer has no EOS token (</s>, <|end_of_text|>, ...), so documents would have no end");
  }
  std::vector<std::int32_t> prefix = ends_with(tokenizer.template_prefix(), tokenizer.bos_id(), ends.bos);
  std::vector<std::int32_t> suffix = ends_with(tokenizer.template_suffix(), tokenizer.eos_id(), ends.eos);
  return DocumentTokenizer(std::move(tokenizer), std::move(prefix), std::move(suffix));
}

Status DocumentTokenizer::encode(std::string_view text, std::vector<std::int32_t>& ids) {
  ids.assign(prefix_.begin(), prefix_.end());
  TRY(encoder_.encode(text, false, ids));
  // A text that brings its own does not get a second one.
  const auto text_begin = ids.begin() + static_cast<std::ptrdiff_t>(prefix_.size());
  const std::optional<std::int32_t> bos = tokenizer_.bos_id();
  if (bos && text_begin != ids.end() && *text_begin == *bos && contains(prefix_, *bos)) {
    ids.erase(text_begin);
  }
  const std::optional<std::int32_t> eos = tokenizer_.eos_id();
  if (eos && ids.size() > prefix_.size() && ids.back() == *eos && contains(suffix_, *eos)) {
    ids.pop_back();
  }
  ids.insert(ids.end(), suffix_.begin(), suffix_.end());
  return ok_status();
}

}  // namespace cairn::data
