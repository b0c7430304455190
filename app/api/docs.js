// Draws /openapi.json. Every text goes in as text, none as markup, so that nothing in the description can run here.

const METHODS = ["get", "post", "put", "patch", "delete"];
const origin = location.origin;

/** An element: `h("p", {class: "x"}, "text", child, …)`. Children that are null are left out. */
function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value != null) element.setAttribute(key, value);
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== ""));
  return element;
}

/** Text with `code` between back-ticks. */
function words(text) {
  return text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));
}

/** The same, with a paragraph at each empty line. */
function prose(text) {
  return (text ?? "").split("\n\n").filter(Boolean).map((paragraph) => h("p", {}, words(paragraph)));
}

/** A block to read and to copy, under a bar that says what it is. */
function code(text, label, ...title) {
  const pre = h("pre", { tabindex: "0", "aria-label": label }, h("code", {}, text));
  const button = h("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return h("div", { class: "code" }, h("div", { class: "bar" }, h("span", {}, title), button), pre);
}

class Page {
  constructor(description) {
    this.description = description;
  }

  /** What a `$ref` within the description stands for, with the name it has there. */
  resolve(value) {
    if (!value?.$ref) return value;
    const path = value.$ref.slice(2).split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    return path.reduce((found, part) => found?.[part], this.description);
  }

  /** A schema in a few words, with links to those that have a name. */
  type(schema) {
    if (!schema) return "";
    if (schema.$ref) {
      const name = schema.$ref.split("/").at(-1);
      return h("a", { href: `#schema-${name}` }, name);
    }
    const some = schema.anyOf ?? schema.oneOf ?? schema.allOf;
    if (some) {
      const word = schema.allOf ? " and " : " or ";
      return some.filter((one) => Object.keys(one).length).flatMap((one, i) => [i ? word : "", this.type(one)]);
    }
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.type === "array") return schema.items ? ["array of ", this.type(schema.items)] : "array";
    const types = [schema.type ?? "anything"].flat().join(" or ");
    const bounds = [
      schema.format,
      schema.minimum !== undefined && schema.maximum !== undefined ? `${schema.minimum} to ${schema.maximum}` : null,
      schema.default !== undefined ? `default ${JSON.stringify(schema.default)}` : null,
    ].filter(Boolean);
    return bounds.length ? `${types}, ${bounds.join(", ")}` : types;
  }

  rows(caption, rows) {
    return h("table", {}, h("caption", {}, caption), h("tbody", {}, rows));
  }

  row(name, note, type, text) {
    return h("tr", {}, h("th", { scope: "row" }, h("code", {}, name), note ? h("small", {}, note) : null),
      h("td", {}, type ? h("div", { class: "type" }, type) : null, prose(text)));
  }

  properties(schema, caption) {
    const required = new Set(schema.required ?? []);
    const rows = Object.entries(schema.properties ?? {}).map(([name, value]) =>
      this.row(name, required.size && !required.has(name) ? "optional" : null, this.type(value), value.description));
    return rows.length ? this.rows(caption, rows) : null;
  }

  example(content) {
    if (content.example !== undefined) return content.example;
    const named = content.examples && Object.values(content.examples)[0];
    return named ? this.resolve(named).value : undefined;
  }

  content(content, label) {
    return Object.entries(content ?? {}).map(([media, value]) => {
      const example = this.example(value);
      const type = this.type(value.schema);
      const title = [h("code", {}, media), type && type !== "anything" ? [" ", type] : null];
      if (example === undefined) return h("div", { class: "type" }, title);
      const form = media === "application/x-www-form-urlencoded";
      const text = form ? new URLSearchParams(example).toString() : JSON.stringify(example, null, 2);
      return code(typeof example === "string" ? example : text, `${label}, ${media}`, title);
    });
  }

  curl(path, method, operation, parameters, scopes) {
    const at = (place) => parameters.filter((one) => one.in === place && (one.required || one.name === "limit"));
    const filled = path.replace(/\{(\w+)\}/g, (whole, name) =>
      parameters.find((one) => one.in === "path" && one.name === name)?.example ?? whole);
    const query = at("query").map((one) => `${one.name}=${encodeURIComponent(one.example ?? one.schema.default)}`);
    const lines = [`curl ${path.endsWith("/stream") ? "-N " : ""}'${origin}${filled}${query.length ? "?" + query.join("&") : ""}'`];
    if (scopes) lines.push(`-H "Authorization: Bearer $THREADLINE_KEY"`);
    const body = this.resolve(operation.requestBody)?.content?.["application/json"];
    if (body && method === "post") {
      lines.push("-H 'Content-Type: application/json'", `-d '${JSON.stringify(this.example(body))}'`);
    }
    return lines.join(" \\\n  ");
  }

  operation(path, method, operation, shared) {
    const parameters = [...shared, ...(operation.parameters ?? [])].map((one) => this.resolve(one));
    const needs = (operation.security ?? []).map((one) => Object.entries(one)[0]);
    const scopes = needs.find(([name]) => name === "key")?.[1];
    const body = this.resolve(operation.requestBody);
    const responses = Object.entries(operation.responses).map(([status, one]) => {
      const response = this.resolve(one);
      const headers = Object.keys(response.headers ?? {});
      return h("details", { class: status[0] === "2" ? "good" : "other", open: status === "200" && response.content ? "" : null },
        h("summary", {}, h("code", { class: "status" }, status), " ", words(response.description)),
        h("div", { class: "inside" },
          headers.length ? h("p", {}, "Headers: ", headers.map((name, i) => [i ? ", " : "", h("code", {}, name)])) : null,
          this.content(response.content, `Answer ${status}`)));
    });
    const security = needs.map(([name, wanted], i) => [
      i ? ", or " : "", h("a", { href: `#security-${name}` }, name === "key" ? "API key" : name),
      wanted.length ? [" with ", wanted.map((scope) => h("code", {}, scope))] : null]);
    return h("section", { id: operation.operationId, class: "operation" },
      h("h3", {}, operation.summary),
      h("p", { class: "path" }, h("span", { class: `method ${method}` }, method.toUpperCase()), " ",
        h("code", {}, path.split("/").flatMap((part, i) => (i ? ["/", h("wbr"), part] : [part])))),
      prose(operation.description),
      needs.length ? h("p", { class: "needs" }, "Needs: ", security) : null,
      parameters.length ? this.rows("Parameters", parameters.map((one) =>
        this.row(one.name, `${one.in}${one.required ? ", required" : ""}`, this.type(one.schema), one.description))) : null,
      body ? h("div", {}, h("h4", {}, "Body"), prose(body.description), this.content(body.content, "Body")) : null,
      h("h4", {}, "Try it"), code(this.curl(path, method, operation, parameters, scopes), `${operation.summary}, with curl`, "in a shell"),
      h("h4", {}, "Answers"), responses);
  }

  schema(name, schema) {
    const parts = schema.allOf ?? [schema];
    return h("section", { id: `schema-${name}`, class: "schema" }, h("h3", {}, name), prose(schema.description),
      schema.enum ? h("p", { class: "values" }, schema.enum.map((value) => [h("code", {}, value), " "])) : null,
      schema.allOf ? h("p", {}, "All of ", this.type(schema)) : null,
      parts.map((part) => this.properties(part, "Properties")));
  }

  draw() {
    const { info, tags, paths, components } = this.description;
    const main = document.getElementById("main");
    const nav = document.getElementById("nav");
    const list = h("ul");
    document.getElementById("version").textContent = info.version;
    main.replaceChildren(h("p", { class: "lead" }, info.summary), ...prose(info.description));
    for (const tag of tags) {
      const links = h("ul");
      main.append(h("h2", { id: `tag-${tag.name}` }, tag.name), ...prose(tag.description));
      list.append(h("li", {}, h("a", { href: `#tag-${tag.name}` }, tag.name), links));
      for (const [path, item] of Object.entries(paths)) {
        for (const method of METHODS.filter((one) => item[one]?.tags.includes(tag.name))) {
          main.append(this.operation(path, method, item[method], item.parameters ?? []));
          links.append(h("li", {}, h("a", { href: `#${item[method].operationId}` }, item[method].summary)));
        }
      }
    }
    main.append(h("h2", { id: "security" }, "security"), ...Object.entries(components.securitySchemes).map(([name, one]) =>
      h("section", { id: `security-${name}` }, h("h3", {}, name === "key" ? "API key" : name), prose(one.description))));
    main.append(h("h2", { id: "schemas" }, "schemas"),
      ...Object.entries(components.schemas).map(([name, one]) => this.schema(name, one)));
    list.append(h("li", {}, h("a", { href: "#security" }, "security")), h("li", {}, h("a", { href: "#schemas" }, "schemas")));
    nav.append(h("details", { open: matchMedia("(min-width: 60rem)").matches ? "" : null }, h("summary", {}, "Contents"), list));
    if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  }
}

try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`/openapi.json answered ${answer.status}`);
  new Page(await answer.json()).draw();
} catch (error) {
  document.getElementById("state").textContent = `The description cannot be shown: ${error.message}. Reload the page.`;
}
