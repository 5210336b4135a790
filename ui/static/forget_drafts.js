export default () => { // this tab's drafts now, and by the event those of the person's other tabs
  forgetDrafts();
  localStorage.setItem(SIGNED_OUT, String(Date.now()));
};
