// Paths as text, '/' between their parts. Pure.
#pragma once

#include <string>
#include <string_view>

namespace cairn {

std::string join_path(std::string_view folder, std::string_view name);
std::string parent_path(std::string_view path);  // "." when there is no '/', "/" of "/"
std::string file_name(std::string_view path);    // the last part, trailing '/' ignored

}  // namespace cairn
