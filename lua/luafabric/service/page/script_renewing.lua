--- The page's script, second part: a new drawing takes the place of an old one. Pure.

return [[
// ---- a drawing is renewed ----
// Only what changed is touched: the focus, what is scrolled, opened and chosen stay as they are.

// Whether something is open is the reader's.
const isReaders = (name, old) => name === "open" && old.nodeName === "DETAILS";

function renewAttributes(old, fresh) {
  for (const name of old.getAttributeNames()) {
    if (!isReaders(name, old) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const name of fresh.getAttributeNames()) {
    const value = fresh.getAttribute(name);
    if (!isReaders(name, old) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function childrenById(parent) {
  const named = [...parent.children].filter((child) => child.id);
  return new Map(named.map((child) => [child.id, child]));
}

function renewChildren(old, fresh) {
  const known = childrenById(old);
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const same = child.id && known.get(child.id);
    if (same) {
      if (same === place) place = place.nextSibling;
      else old.insertBefore(same, place);
      renew(same, child);
    } else if (place && !place.id) {
      const next = place.nextSibling;
      renew(place, child);
      place = next;
    } else {
      old.insertBefore(child, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function renew(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  renewAttributes(old, fresh);
  renewChildren(old, fresh);
}
]]
