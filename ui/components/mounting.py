"""How a part's script comes to life in the browser, and ends with its place on the page."""

MOUNTING = """
// One object of the class draws whatever the server sends, until its place is gone.
function mounting(View) {
  return ({ parentElement, data, setTriggerValue }) => {
    const view = (parentElement.answerdeskView ??= new View(parentElement));
    view.tell = setTriggerValue;
    view.draw(data);
    return () => setTimeout(() => { // a superseded draw is cleaned up, too: only a view that is gone is closed
      if (parentElement.isConnected) return;
      view.close();
      delete parentElement.answerdeskView;
    });
  };
}
"""
"""The class has ``draw(data)`` and ``close()``; ``tell(name, value)`` is put into the object."""
