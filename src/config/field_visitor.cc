#include "config/field_visitor.h"

namespace cairn {

std::size_t FieldVisitor::array_size(const FieldInfo& /*info*/, std::size_t current_size) {
  return current_size;
}

void FieldVisitor::visit_reserved(const FieldInfo& /*info*/) {}

}  // namespace cairn
