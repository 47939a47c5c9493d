/** Entry of the jobs page. */

import { render } from "preact";

import "../ui/look.css";
import "../ui/parts.css";
import "./dashboard.css";
import { DashboardPage } from "./page.tsx";

const root = document.getElementById("page");
if (root) render(<DashboardPage />, root);
