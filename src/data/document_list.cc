#include "data/document_list.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "base/check.h"
#include "base/faults.h"
#include "base/text.h"

namespace cairn::data {
namespace {

constexpr std::size_t kFaultsMax = 20;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  return out;
}

// Where the host begins and ends with what belongs to it (user, port); the whole is empty when there is no scheme.
struct Authority {
  std::size_t begin = 0;
  std::size_t end = 0;
};
Authority authority_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) {
    return {};
  }
  const std::size_t begin = scheme + 3;
  return {begin, std::min(url.find_first_of("/?#", begin), url.size())};
}

std::string normal_url(std::string_view url) {
  url = url.substr(0, url.find('#'));
  const std::size_t end = authority_of(url).end;
  return lower(url.substr(0, end)) + std::string(url.substr(end));
}

// "*.example.org", ".example.org" and "example.org." are example.org.
std::string normal_domain(std::string_view text) {
  if (text.starts_with("*.")) {
    text.remove_prefix(2);
  }
  while (text.starts_with(".")) {
    text.remove_prefix(1);
  }
  while (text.ends_with(".")) {
    text.remove_suffix(1);
  }
  return lower(text);
}

// What an entry is found by, or nothing when it is none of its kind.
std::optional<std::string> key_of(ListKind kind, std::string_view entry, std::int64_t num_documents) {
  switch (kind) {
    case ListKind::kDomains: {
      std::string domain = normal_domain(entry);
      const bool is_domain = !domain.empty() && domain.find_first_of("/:@?# \t*") == std::string::npos;
      return is_domain ? std::optional(std::move(domain)) : std::nullopt;
    }
    case ListKind::kUrls:
      return authority_of(entry).end > 0 ? std::optional(normal_url(entry)) : std::nullopt;
    case ListKind::kDocuments: {
      const std::optional<std::int64_t> number = parse_int64(entry);
      return number && *number >= 0 && *number < num_documents ? std::optional(fmt::format("{}", *number))
                                                               : std::nullopt;
    }
    case ListKind::kValues:
      break;
  }
  return std::string(entry);
}

std::string_view what_is_wrong(ListKind kind) {
  constexpr std::array<std::string_view, 4> kReasons = {
      "is no domain (write example.org, without scheme and path)", "is no URL (it has no scheme://)",
      "is no document of the shard", ""};
  return kReasons[static_cast<std::size_t>(kind)];
}

}  // namespace

std::string_view list_kind_name(ListKind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"domains", "urls", "documents", "values"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string host_of(std::string_view url) {
  const Authority authority = authority_of(url);
  std::string_view host = url.substr(authority.begin, authority.end - authority.begin);
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) {
    host.remove_prefix(at + 1);
  }
  if (!host.starts_with("[")) {  // of an IPv6 address the colons are no port
    host = host.substr(0, host.find(':'));
  }
  return normal_domain(host);
}

Result<DocumentList> DocumentList::read(FileSystem& files, const ListRequest& request,
                                        const OriginNames& names, std::int64_t num_documents) {
  DocumentList list;
  list.request_ = request;
  list.column_ = names.column_index(request.column);
  if (request.kind != ListKind::kDocuments && list.column_ < 0) {
    return bad_config(fmt::format("{}: the origins of the shard have no column '{}'; they have {}",
                                  request.path, request.column, fmt::join(names.columns, ", ")));
  }
  TRY_ASSIGN(const std::string text, files.read_text(request.path));
  Faults faults;
  std::int64_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    const std::string_view entry = trim(line);
    if (entry.empty() || entry.starts_with("#")) {
      continue;
    }
    std::optional<std::string> key = key_of(request.kind, entry, num_documents);
    if (!key && faults.list().size() < kFaultsMax) {
      faults.add(fmt::format("{} line {}", request.path, number), std::string(entry),
                 std::string(what_is_wrong(request.kind)), "correct the line; nothing was removed");
    } else if (key) {
      list.by_key_.emplace(std::move(*key), static_cast<std::int64_t>(list.entries_.size()));
      list.entries_.emplace_back(entry);
    }
  }
  TRY(faults.to_status(StatusCode::kBadData, "the list cannot be applied"));
  return list;
}

std::int64_t DocumentList::lookup(std::string_view key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? -1 : found->second;
}

// The host itself or any domain above it.
std::int64_t DocumentList::lookup_host(std::string_view host) const {
  while (!host.empty()) {
    if (const std::int64_t entry = lookup(host); entry >= 0) {
      return entry;
    }
    const std::size_t dot = host.find('.');
    host = dot == std::string_view::npos ? std::string_view() : host.substr(dot + 1);
  }
  return -1;
}

std::int64_t DocumentList::find(std::int64_t document, const OriginsBlock& block, std::int64_t index) const {
  switch (request_.kind) {
    case ListKind::kDomains:
      return lookup_host(host_of(block.column(column_, index)));
    case ListKind::kUrls:
      return lookup(normal_url(block.column(column_, index)));
    case ListKind::kDocuments:
      return lookup(fmt::format("{}", document));
    case ListKind::kValues:
      break;
  }
  return lookup(block.column(column_, index));
}

}  // namespace cairn::data
