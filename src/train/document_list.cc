#include "train/document_list.h"

#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "formats/document_origins.h"

namespace cairn::train {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

bool is_url(std::string_view name) {
  return name.find("://") != std::string_view::npos;
}

// "a.b": no number, no prefix, letters and a dot.
bool is_domain(std::string_view name) {
  return name.find('.') != std::string_view::npos && name.find_first_of("/: \t") == std::string_view::npos;
}

// Lines that are looked for in the origins: the line, and whether it was found.
using Wanted = std::map<std::string, bool, std::less<>>;

struct Search {
  Wanted urls;
  Wanted domains;
  bool is_empty() const { return urls.empty() && domains.empty(); }
};

// The lines that name a document with this URL.
std::vector<std::string> matches(Search& search, std::string_view url) {
  std::vector<std::string> lines;
  if (const auto found = search.urls.find(url); found != search.urls.end()) {
    found->second = true;
    lines.push_back(found->first);
  }
  const std::string host = search.domains.empty() ? "" : host_of(url);
  for (std::string_view part = host; !part.empty();) {
    if (const auto found = search.domains.find(part); found != search.domains.end()) {
      found->second = true;
      lines.push_back(found->first);
    }
    const std::size_t dot = part.find('.');
    part = dot == std::string_view::npos ? std::string_view() : part.substr(dot + 1);
  }
  return lines;
}

Status search_source(FileSystem& files, const std::string& source, Search& search, DocumentList& list) {
  const std::string path = source + ".origins";
  TRY_ASSIGN(const DocumentOrigins origins, DocumentOrigins::open(files, path));
  const std::int64_t column = origins.names().column_index("url");
  if (column < 0) {
    return bad_data(fmt::format("'{}' has no column \"url\"; list documents of this source by number", path));
  }
  for (std::size_t i = 0; i < origins.blocks().size(); ++i) {
    TRY_ASSIGN(const OriginsBlock block, origins.read_block(static_cast<std::int64_t>(i)));
    for (std::int64_t document = 0; document < block.num_documents(); ++document) {
      for (std::string& line : matches(search, block.column(column, document))) {
        list.documents.push_back({std::move(line), source, origins.blocks()[i].first_document + document});
      }
    }
  }
  return ok_status();
}

}  // namespace

std::string host_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) {
    return "";
  }
  std::string_view rest = url.substr(scheme + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  if (const std::size_t user = rest.rfind('@'); user != std::string_view::npos) {
    rest = rest.substr(user + 1);
  }
  return lower(rest.substr(0, rest.rfind(':')));
}

Result<ListedDocument> parse_document_name(const std::string& text, const std::vector<std::string>& sources) {
  const std::size_t colon = text.rfind(':');
  const bool has_source = colon != std::string::npos;
  const std::optional<std::int64_t> number =
      parse_int64(std::string_view(text).substr(has_source ? colon + 1 : 0));
  if (!number || *number < 0) {
    return usage_error(fmt::format("'{}' is no document: give its number, or SOURCE:NUMBER", text));
  }
  if (!has_source && sources.size() != 1) {
    return usage_error(fmt::format("'{}': the run has {} sources; give SOURCE:NUMBER", text, sources.size()));
  }
  return ListedDocument{text, has_source ? text.substr(0, colon) : sources.front(), *number};
}

Result<DocumentList> resolve_document_list(FileSystem& files, std::string_view text,
                                           const std::vector<std::string>& sources) {
  DocumentList list;
  Search search;
  std::int64_t line_number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++line_number;
    const std::string name(trim(line));
    if (name.empty() || name.starts_with('#')) {
      continue;
    }
    if (is_url(name)) {
      search.urls.emplace(name, false);
    } else if (is_domain(name)) {
      search.domains.emplace(lower(name), false);
    } else {
      Result<ListedDocument> document = parse_document_name(name, sources);
      if (!document.ok()) {
        return document.status().with_context(fmt::format("line {}", line_number));
      }
      list.documents.push_back(std::move(document).value());
    }
  }
  for (const std::string& source : sources) {
    if (!search.is_empty()) {
      TRY(search_source(files, source, search, list));
    }
  }
  for (const Wanted* wanted : {&search.urls, &search.domains}) {
    for (const auto& [name, is_found] : *wanted) {
      if (!is_found) {
        list.unmatched.push_back(name);
      }
    }
  }
  return list;
}

}  // namespace cairn::train
