// As much of JSON Schema as openapi.json uses, and stricter: what a schema does not name is a mistake, because then the
// document is not whole.

export function mistakes(value, schema, document, where = '$') {
  if (schema.$ref) return mistakes(value, schema.$ref.split('/').slice(1).reduce((at, part) => at[part], document), document, where);
  if (schema.allOf) {
    const parts = schema.allOf.map(part => part.$ref ? part.$ref.split('/').slice(1).reduce((at, name) => at[name], document) : part);
    return mistakes(value, { type: 'object', required: parts.flatMap(part => part.required), properties: Object.assign({}, ...parts.map(part => part.properties)) }, document, where);
  }
  if (schema.enum) return schema.enum.includes(value) ? [] : [`${where}: ${JSON.stringify(value)} is none of ${schema.enum}`];
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
  if (schema.type && ![].concat(schema.type).includes(type)) return [`${where}: ${type} instead of ${schema.type}`];
  const found = [];
  if (type === 'array') value.forEach((item, index) => found.push(...mistakes(item, schema.items, document, `${where}[${index}]`)));
  if (type === 'object' && (schema.properties || schema.additionalProperties)) {
    for (const name of schema.required || []) if (!(name in value)) found.push(`${where}.${name}: is missing`);
    for (const [name, part] of Object.entries(value)) {
      const own = (schema.properties || {})[name] || schema.additionalProperties;
      found.push(...(own ? mistakes(part, own, document, `${where}.${name}`) : [`${where}.${name}: is not in the document`]));
    }
  }
  return found;
}
